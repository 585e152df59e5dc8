"""A checkout stands alone: no file names the machine it was written on, and no path leads out of it."""

import re
import sys

from tests.architecture.project import ROOT, text_files

UPWARDS = re.compile(r"(?<![\w./])((?:\./)?(?:\.\./)+)[\w{$]")


def test_no_file_names_this_checkout_or_this_interpreter() -> None:
    own = [str(path) for path in (ROOT, sys.prefix, sys.base_prefix) if len(str(path).split("/")) > 2]  # not "/usr"
    own = [path for path in own if not path.startswith("/usr/")]
    found = [f"{name}: {path}" for name, text in text_files() for path in own if f"{path}/" in text]
    assert found == []


def test_no_relative_path_leads_out_of_the_checkout() -> None:
    found = [
        f"{name}: {match[0]}"
        for name, text in text_files()
        for match in UPWARDS.finditer(text)
        if match[1].count("../") > name.count("/")
    ]
    assert found == []


def test_the_check_for_paths_that_lead_out_can_fail() -> None:
    assert UPWARDS.search("see ../elsewhere/tool")
    assert UPWARDS.search("`../../x`")
    assert not UPWARDS.search("wait... /path")
