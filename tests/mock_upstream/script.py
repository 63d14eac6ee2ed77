"""Recorded answers, taken by what a call asks for.

A script is a JSON array of entries, each a scenario (scenario.py) with these members more:

  when       a string or an array of strings that must all be in the call's text
  model      the name of the model that must be asked
  text_file  a file with the text, relative to the script's own folder
  repeat     true: the entry serves every call it fits, not only one

A call gets the first entry that fits and is not used up.
"""

import json
import os

from scenario import scenario_from

OWN_MEMBERS = ("when", "model", "text_file", "repeat")


def strings_in(value):
    """All strings of a JSON value, in their order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from strings_in(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings_in(each)


class Entry:
    """One answer of a script and what it is an answer to."""

    def __init__(self, members, folder):
        if not isinstance(members, dict):
            raise ValueError(f"script: expected an object, got {members!r}")
        scenario = {name: value for name, value in members.items()
                    if name not in OWN_MEMBERS}
        if "text_file" in members:
            path = os.path.join(folder, members["text_file"])
            with open(path, encoding="utf-8") as file:
                scenario["text"] = file.read()
        self.scenario = scenario_from(scenario)
        when = members.get("when", [])
        self._when = [when] if isinstance(when, str) else when
        self._model = members.get("model")
        self.repeats = members.get("repeat", False)

    def fits(self, request):
        """Whether it is an answer to the request."""
        if self._model is not None and self._model != (
                request.model or request.json.get("model")):
            return False
        text = "\n".join(strings_in(request.json))
        return all(each in text for each in self._when)


class Script:
    """The entries that are left."""

    def __init__(self, entries, folder="."):
        self._entries = [Entry(each, folder) for each in entries]

    def take(self, request):
        """The scenario of the first entry that fits, which is used up; None if none."""
        for entry in self._entries:
            if entry.fits(request):
                if not entry.repeats:
                    self._entries.remove(entry)
                return entry.scenario
        return None


def load_script(path):
    """The script in the file at `path`."""
    with open(path, encoding="utf-8") as file:
        return Script(json.load(file), os.path.dirname(path))
