"""The reporters keep the contract of the test kit."""

from __future__ import annotations

import etl_reports

from etl_framework.testing import ReporterContract


class TestReporters(ReporterContract):
    def plugin(self) -> object:
        return etl_reports
