"""What suites of plug-ins test with."""
