; message: the test `{name}` is gone while what it tests is still there; bring it back
; severity: error
; fires: when-gone
; files: **/test_*.py **/*_test.py **/tests/**/*.py **/test/**/*.py **/tests.py
; file: test_a.py
; before: def test_one():
; before|     assert one() == 1
; before| class TestTwo:
; before|     def test_two(self):
; before|         assert two() == 2
; fails: def test_one():
; fails|     assert one() == 1
; passes: def test_that_it_is_one():
; passes|     assert one() == 1
; passes| class TestTwo:
; passes|     def test_two(self):
; passes|         assert two() == 2
((function_definition name: (identifier) @name) @deleted-test
  (#match? @name "^test"))
