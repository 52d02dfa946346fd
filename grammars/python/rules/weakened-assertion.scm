; message: the test `{name}` asserts less than before
; severity: error
; fires: when-weaker
; within: deleted-test
; except: *.pyi
; file: test_a.py
; before: def test_one():
; before|     assert one() == 1
; before|     assert two() == 2
; fails: def test_one():
; fails|     assert one()
; fails|     assert two() == 2
; fails: def test_one():
; fails|     assert True
; fails|     assert two() == 2
; fails: def test_one():
; fails|     assert two() == 2
; fails: def test_one():
; fails|     assert one() is not None
; fails|     assert two() == 2
; passes: def test_one():
; passes|     assert (one(), two()) == (1, 2)
; passes: def test_one():
; passes|     x = one()
; passes|     assert x == 1
; passes|     assert two() == 2
; before: class TestOne(TestCase):
; before|     def test_one(self):
; before|         self.assertEqual(one(), 1)
; fails: class TestOne(TestCase):
; fails|     def test_one(self):
; fails|         self.assertTrue(one())
; passes: class TestOne(TestCase):
; passes|     def test_one(self):
; passes|         assert one() == 1
; Several patterns may match one assertion; the last one has the word.
((assert_statement) @weakened-assertion
  (#set! strength "1"))
((assert_statement . (boolean_operator)) @weakened-assertion
  (#set! strength "2"))
((assert_statement . (call function: (identifier) @function)) @weakened-assertion
  (#match? @function "^(isinstance|issubclass|all|any)$")
  (#set! strength "2"))
((assert_statement . (comparison_operator)) @weakened-assertion
  (#set! strength "3"))
((assert_statement . (comparison_operator "is not" (none) .)) @weakened-assertion
  (#set! strength "1"))
((assert_statement . (comparison_operator . (_) @left . "==" . (_) @right .)) @weakened-assertion
  (#eq? @left @right)
  (#set! strength "0"))
((assert_statement . [(true) (integer) (string)]) @weakened-assertion
  (#set! strength "0"))
((call function: [(attribute attribute: (identifier) @method) (identifier) @method]) @weakened-assertion
  (#match? @method "^_?(assert|check_|verify|raises$|warns$)")
  (#set! strength "3"))
((call function: (attribute attribute: (identifier) @method)) @weakened-assertion
  (#match? @method "^(assertTrue|assertFalse|assertIsNotNone|assert_called)$")
  (#set! strength "1"))
((call function: (attribute attribute: (identifier) @method) arguments: (argument_list . (true))) @weakened-assertion
  (#eq? @method "assertTrue")
  (#set! strength "0"))
