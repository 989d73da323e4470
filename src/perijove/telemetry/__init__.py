"""What operators watch: logs, metrics, and the audit trail.

``log`` sets up logging in the field's format and keeps secrets out of it,
``metrics`` holds every Prometheus metric under upstream's names, so dashboards
keep working, and ``audit`` emits jupyter_events records of starts and stops.

Nothing here knows users or servers as values; callers pass plain names. Start
reading in ``metrics``.
"""
