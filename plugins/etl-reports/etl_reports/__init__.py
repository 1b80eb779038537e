"""Console and JSON reports for etl-framework."""
