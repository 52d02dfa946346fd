; message: the test `{name}` tests nothing any more; bring its body back
; severity: error
; fires: when-marked
; within: deleted-test
; before: it('adds', async () => { await run(add) })
; fails: it('adds', async () => {})
; fails: it('adds', function () { /* later */ })
; passes: it('adds', async () => { await run(sum) })
(call_expression
  arguments: (arguments . (_)
    [(arrow_function body: (statement_block . "{" . (comment)* . "}"))
     (function_expression body: (statement_block . "{" . (comment)* . "}"))])) @emptied-test
