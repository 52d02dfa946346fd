; message: this keeps all other tests of the file from running; take it out
; severity: error
; fails: it.only('adds', () => { expect(add(1, 1)).toBe(2) })
; fails: describe.only('sums', () => { it('adds', () => { expect(add(1, 1)).toBe(2) }) })
; fails: fdescribe('sums', () => {})
; passes: it('adds', () => { expect(add(1, 1)).toBe(2) })
; passes: options.only('adds')
((call_expression
  function: (member_expression
    object: (identifier) @call property: (property_identifier) @focused-test))
  (#match? @call "^(it|test|describe|suite|context)$")
  (#eq? @focused-test "only"))
((call_expression
  function: (identifier) @focused-test
  arguments: (arguments . [(string) (template_string)] . (_)))
  (#match? @focused-test "^(fit|fdescribe|fcontext)$"))
