"""The steps. File names are revision numbers, so that they sort by age."""
