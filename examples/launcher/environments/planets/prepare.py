"""Writes the table that the notebook reads."""

import csv
from pathlib import Path

# Distance from the sun in astronomical units, radius in thousands of kilometres, moons.
PLANETS = [
    ("Mercury", 0.39, 2.4, 0),
    ("Venus", 0.72, 6.1, 0),
    ("Earth", 1.00, 6.4, 1),
    ("Mars", 1.52, 3.4, 2),
    ("Jupiter", 5.20, 69.9, 95),
    ("Saturn", 9.54, 58.2, 146),
    ("Uranus", 19.2, 25.4, 28),
    ("Neptune", 30.1, 24.6, 16),
]

with Path("planets.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["name", "distance_au", "radius_1000_km", "moons"])
    for planet in PLANETS:
        writer.writerow(planet)
        print(f"Wrote down {planet[0]}", flush=True)
