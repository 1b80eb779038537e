"""Zstandard, gzip and no compression for etl-framework."""
