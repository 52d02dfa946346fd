; message: the test `{name}` asserts less than before
; severity: error
; fires: when-weaker
; within: deleted-test
; before: it('adds', () => { expect(add(1, 1)).toEqual(2); expect(add(1, 2)).toBe(3) })
; fails: it('adds', () => { expect(add(1, 1)).toBeDefined(); expect(add(1, 2)).toBe(3) })
; fails: it('adds', () => { expect(add(1, 1)).toBeTruthy(); expect(add(1, 2)).toBe(3) })
; fails: it('adds', () => { expect(true).toBe(true); expect(add(1, 2)).toBe(3) })
; fails: it('adds', () => { expect(add(1, 2)).toBe(3) })
; fails: it('adds', () => { expect(add(1, 1)).not.toBeNull(); expect(add(1, 2)).toBe(3) })
; passes: it('adds', () => { expect(add(1, 1)).to.equal(2); expect(add(1, 2)).toBe(3) })
; passes: it('adds', () => { expect([add(1, 1), add(1, 2)]).toEqual([2, 3]) })
; passes: it('adds', () => { expect(add(1, 1)).toStrictEqual(2); expect(add(1, 2)).toBe(3) })
; passes: it('adds', () => { expect(sum(1, 1)).toEqual(2); expect(sum(1, 2)).toBe(3) })
; before: test('adds', () => { assert.strictEqual(add(1, 1), 2) })
; fails: test('adds', () => { assert.ok(add(1, 1)) })
; Several patterns may match one assertion; the last one has the word.
((call_expression function: (member_expression) @chain) @weakened-assertion
  (#match? @chain "^expect")
  (#set! strength "3"))
((call_expression
  function: (member_expression property: (property_identifier) @matcher)) @weakened-assertion
  (#match? @matcher "^(toHaveProperty|toBeInstanceOf|toHaveBeenCalled|toBeCalled|toBeGreaterThan|toBeLessThan|toBeGreaterThanOrEqual|toBeLessThanOrEqual)$")
  (#set! strength "2"))
((call_expression
  function: (member_expression
    object: (member_expression property: (property_identifier) @not)
    property: (property_identifier) @matcher)) @weakened-assertion
  (#eq? @not "not")
  (#match? @matcher "^to[A-Z]")
  (#set! strength "2"))
((call_expression
  function: (member_expression
    object: (member_expression property: (property_identifier) @not)
    property: (property_identifier) @matcher)) @weakened-assertion
  (#eq? @not "not")
  (#match? @matcher "^(toBeUndefined|toBeNull|toBeNullable|toBeFalsy|toBeNaN)$")
  (#set! strength "1"))
((call_expression
  function: (member_expression property: (property_identifier) @matcher)) @weakened-assertion
  (#match? @matcher "^(toBeDefined|toBeTruthy|toBeTypeOf|toBeFalsy)$")
  (#set! strength "1"))
((call_expression
  function: (member_expression
    object: (call_expression
      function: (identifier) @expect arguments: (arguments . (_) @actual .))
    property: (property_identifier) @matcher)
  arguments: (arguments . (_) @expected .)) @weakened-assertion
  (#eq? @expect "expect")
  (#match? @matcher "^to(Be|Equal|StrictEqual)$")
  (#eq? @actual @expected)
  (#set! strength "0"))
((call_expression
  function: (member_expression
    object: (call_expression
      function: (identifier) @expect arguments: (arguments . [(true) (number) (string)] .))
    property: (property_identifier) @matcher)
  arguments: (arguments . ")")) @weakened-assertion
  (#eq? @expect "expect")
  (#match? @matcher "^(toBeDefined|toBeTruthy)$")
  (#set! strength "0"))

; `assert` of Node.js, and helpers that assert.
((call_expression
  function: [(identifier) @function (member_expression object: (identifier) @function)]) @weakened-assertion
  (#match? @function "^(assert|check[A-Z]|expect[A-Z]|verify[A-Z]|should[A-Z])")
  (#set! strength "3"))
((call_expression
  function: (member_expression
    object: (identifier) @assert property: (property_identifier) @matcher)) @weakened-assertion
  (#eq? @assert "assert")
  (#match? @matcher "^(ok|exists|isOk|isDefined|isNotNull)$")
  (#set! strength "1"))
((call_expression
  function: (identifier) @assert
  arguments: (arguments . [(identifier) (member_expression) (call_expression)] @actual)) @weakened-assertion
  (#match? @assert "^(assert|assertExists)$")
  (#set! strength "1"))
((call_expression
  function: [(identifier) @assert (member_expression object: (identifier) @assert)]
  arguments: (arguments . (true))) @weakened-assertion
  (#eq? @assert "assert")
  (#set! strength "0"))
