"""Analyze, split, parse and check delimited text for etl-framework."""
