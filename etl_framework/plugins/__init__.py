"""Plugins: finding and loading them (``discovery``, ``plugin``), asking them (``questions``, ``answers``), and naming
the one that failed (``blame``). ``hooks`` has one typed method per hook, which is all that the rest of the core sees.
"""

from __future__ import annotations

from etl_framework.plugins.discovery import PluginSettings
from etl_framework.plugins.hooks import Plugins
from etl_framework.plugins.plugin import PluginInfo

__all__ = ["PluginInfo", "PluginSettings", "Plugins"]
