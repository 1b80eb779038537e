"""The embedded DuckDB warehouse for etl-framework."""
