; message: the test `{name}` tests nothing any more; bring its body back
; severity: error
; fires: when-marked
; within: deleted-test
; except: *.pyi
; file: test_a.py
; before: def test_one():
; before|     run(one)
; fails: def test_one():
; fails|     pass
; fails: def test_one():
; fails|     """It is one."""
; fails|     # later
; fails|     ...
; fails: def test_one():
; fails|     return
; passes: def test_one():
; passes|     run(two)
(function_definition
  body: (block . [(comment) (expression_statement (string))]* .
    [(pass_statement) (expression_statement (ellipsis)) (return_statement . "return" .)] .)) @emptied-test
(function_definition
  body: (block . (expression_statement (string)) .)) @emptied-test
