"""Whose a target is, told from its URL without connecting to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework.errors import ConnectError, EtlError, Locked, UsageError
from etl_framework.plugins.answers import close

if TYPE_CHECKING:
    from etl_framework.plugins.plugin import Plugin
    from etl_framework.plugins.questions import Questions

OTHER_TARGET = "Correct the target's URL, or install a plugin for it."


def connects(url: str) -> str:
    """What is asked of a plugin, for messages."""
    scheme, colon, _ = url.partition(":")  # the rest may hold a secret
    return f"connects to a target {scheme + colon!r}" + ("" if colon else ", which has no scheme such as 'name:'")


def owner_of(url: str, questions: Questions) -> Plugin:
    """Who connects to targets of the URL's kind with its options; nobody connects to this one.

    :raises NoPluginError: nobody does.
    :raises PluginError: several would, and none is named.
    :raises EtlError: an option of the URL is wrong.
    """
    scheme, colon, address = url.partition(":")
    asked = questions.candidates("etl_connect")
    without_address = {plugin: _connected_to(plugin, scheme + colon) for plugin in asked}
    theirs = [plugin for plugin, answer in without_address.items() if answer]
    if len(theirs) > 1:
        raise questions.several("etl_connect", connects(url), theirs)
    if not theirs:
        raise questions.nobody("etl_connect", connects(url), OTHER_TARGET, asked)
    _, mark, options = address.partition("?")
    answer = _connected_to(theirs[0], scheme + colon + mark + options) if options else True
    # What is said about the missing address is not about the options.
    if isinstance(answer, EtlError) and str(answer) != str(without_address[theirs[0]]):
        raise answer
    return theirs[0]


def _connected_to(plugin: Plugin, url: str) -> bool | EtlError:
    """Whether a plugin takes a URL without an address for its own: it connects, or says what is wrong."""
    try:
        with plugin.blamed("etl_connect"):
            answers = plugin.call("etl_connect", {"url": url})
    except (UsageError, ConnectError, Locked) as error:
        return error
    close(answers)
    return bool(answers)
