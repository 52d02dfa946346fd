; message: the test `{name}` does not run any more; let it run
; severity: error
; fires: when-marked
; within: deleted-test
; except: *.pyi
; file: test_a.py
; before: class TestOne:
; before|     def test_one(self):
; before|         assert one() == 1
; fails: class TestOne:
; fails|     @pytest.mark.skip
; fails|     def test_one(self):
; fails|         assert one() == 1
; fails: @unittest.skip("flaky")
; fails| class TestOne:
; fails|     def test_one(self):
; fails|         assert one() == 1
; fails: class TestOne:
; fails|     def test_one(self):
; fails|         pytest.skip()
; fails|         assert one() == 1
; fails: class TestOne:
; fails|     def test_one(self):
; fails|         self.skipTest("later")
; fails|         assert one() == 1
; fails: class TestOne:
; fails|     @pytest.mark.xfail
; fails|     def test_one(self):
; fails|         assert one() == 1
; passes: class TestOne:
; passes|     @pytest.mark.skipif(sys.platform == "win32", reason="no fork")
; passes|     def test_one(self):
; passes|         assert one() == 1
; passes: class TestOne:
; passes|     def test_one(self):
; passes|         if windows:
; passes|             pytest.skip()
; passes|         assert one() == 1
((decorated_definition
  (decorator [(attribute attribute: (identifier) @how)
              (call function: (attribute attribute: (identifier) @how))
              (identifier) @how
              (call function: (identifier) @how)])
  definition: (_)) @ignored-test
  (#match? @how "^(skip|xfail|expectedFailure)$"))
((function_definition
  body: (block (expression_statement (call
    function: [(attribute object: (identifier) @whose attribute: (identifier) @how)
               (identifier) @how])))) @ignored-test
  (#match? @how "^(skip|skipTest|xfail)$"))
