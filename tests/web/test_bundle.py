"""The page's modules as one script: their order, their names, and what is refused."""

from __future__ import annotations

import re

import pytest

from beak.errors import UsageError
from beak.web.alone import _script, html_with
from beak.web.app import PAGE
from beak.web.bundle import as_function, bundle


def written(folder, **modules):
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder


def test_modules_stand_in_the_order_in_which_they_are_imported(tmp_path):
    written(
        tmp_path,
        main='import "./first.js";\nimport { two as deux } from "./second.js";\nrun(deux);\n',
        first='import { two } from "./second.js";\nexport const one = two;\n',
        second="export const two = 2;\n",
    )
    text = bundle(tmp_path, "main.js")
    order = [text.index(f"const ${name} =") for name in ("second", "first", "main")]
    assert order == sorted(order)
    assert "const { two: deux } = $second;" in text
    assert not re.search(r"^(import|export)\b", text, re.M)
    assert as_function(text).endswith("return $main;\n})()")


@pytest.mark.parametrize(
    ("main", "line"),
    [
        ('import { three } from "./other.js";\n', "main.js: other.js gives no three"),
        ('import other from "./other.js";\n', "main.js: `import other"),
        ("export default 3;\n", "main.js: `export default"),
        ('export { two } from "./other.js";\n', "main.js: `export { two }"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(tmp_path, main, line):
    written(tmp_path, main=main, other="export const two = 2;\n")
    with pytest.raises(UsageError, match=re.escape(line)):
        bundle(tmp_path, "main.js")


def test_a_circle_of_modules_is_refused(tmp_path):
    written(
        tmp_path,
        main='import { b } from "./other.js";\nexport const a = 1;\n',
        other='import { a } from "./main.js";\nexport const b = 2;\n',
    )
    with pytest.raises(UsageError, match="in a circle"):
        bundle(tmp_path, "main.js")


@pytest.mark.parametrize("entry", ["alone/main.js", "alone/engine.js", "alone/frame.js"])
def test_the_pages_own_modules_go_together(entry):
    assert bundle(PAGE, entry).count("})();") >= 10


def test_nothing_in_the_file_is_fetched_and_no_text_ends_a_script_early():
    told = _script('{"a": "</script><!--"}', 'type="application/json"')
    assert told.count("</script>") == 1
    assert "<!--" not in told
    with pytest.raises(UsageError, match="end it early"):
        _script("'</SCRIPT >'", "")
    text = html_with("run();")
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', text)
    assert "connect-src &#x27;none&#x27;" in text
