"""Snowflake for etl-framework."""
