"""The values that pass between steps and through hooks: frozen, complete, safe to pickle.

In pipeline order: a :class:`Job` names :class:`Source` files; analyzing one gives an :class:`Analysis` with its
:class:`Part` s; a part is packed into :class:`PackedPart` s, uploaded as :class:`StagedPart` s, loaded for a
:class:`Receipt`, and everything together is the :class:`RunReport`.
"""

from __future__ import annotations

from etl_framework.values.findings import BadRow as BadRow
from etl_framework.values.findings import Fact as Fact
from etl_framework.values.findings import Finding as Finding
from etl_framework.values.findings import Position as Position
from etl_framework.values.findings import Sample as Sample
from etl_framework.values.findings import Severity as Severity
from etl_framework.values.findings import in_file as in_file
from etl_framework.values.jobs import Allowance as Allowance
from etl_framework.values.jobs import Check as Check
from etl_framework.values.jobs import Figure as Figure
from etl_framework.values.jobs import Gate as Gate
from etl_framework.values.jobs import Job as Job
from etl_framework.values.jobs import Measures as Measures
from etl_framework.values.jobs import Mode as Mode
from etl_framework.values.jobs import OnBadRows as OnBadRows
from etl_framework.values.jobs import PeriodFilter as PeriodFilter
from etl_framework.values.jobs import Previous as Previous
from etl_framework.values.loading import LedgerEntry as LedgerEntry
from etl_framework.values.loading import Leftover as Leftover
from etl_framework.values.loading import PackedPart as PackedPart
from etl_framework.values.loading import Receipt as Receipt
from etl_framework.values.loading import StagedPart as StagedPart
from etl_framework.values.reports import Event as Event
from etl_framework.values.reports import RunReport as RunReport
from etl_framework.values.reports import Status as Status
from etl_framework.values.reports import StepTime as StepTime
from etl_framework.values.sources import Analysis as Analysis
from etl_framework.values.sources import Part as Part
from etl_framework.values.sources import Source as Source
from etl_framework.values.sources import TextLayout as TextLayout
