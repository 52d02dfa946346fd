; message: the test `{name}` is gone while what it tests is still there; bring it back
; severity: error
; fires: when-gone
; before: it('adds', () => { expect(add(1, 1)).toBe(2) })
; before| test.each([1, 2])('doubles %i', (n) => { expect(double(n)).toBe(2 * n) })
; fails: it('adds', () => { expect(add(1, 1)).toBe(2) })
; fails: test.each([1, 2])('doubles %i', (n) => { expect(double(n)).toBe(2 * n) })
; passes: test.each([1, 2])('doubles %i', (n) => { expect(double(n)).toBe(2 * n) })
; passes| it('makes sums', () => { expect(add(1, 1)).toBe(2) })
; before: it('adds', () => { expect(add(1, 1)).toBe(2) })
; passes: const name = 'adds'
; passes| it(name, () => { expect(add(1, 1)).toBe(2) })
; before: Deno.test('adds', () => { assertEquals(add(1, 1), 2) })
; fails: // nothing
; before: function add(a, b) { return a + b }
; before| test('adds', () => { expect(add(1, 1)).toBe(2) })
; fails: function add(a, b) { return a + b }
((call_expression
  function: [(identifier) @call
             (member_expression object: (identifier) @call)
             (member_expression object: (member_expression object: (identifier) @call))
             (call_expression function: (member_expression object: (identifier) @call))
             (call_expression
               function: (member_expression object: (member_expression object: (identifier) @call)))]
  arguments: (arguments . (_) @name . (_))) @deleted-test
  (#match? @call "^(it|test|xit|xtest|fit)$"))
((call_expression
  function: (member_expression object: (identifier) @call property: (property_identifier) @how)
  arguments: (arguments . [(string) (template_string)] @name)) @deleted-test
  (#match? @call "^(it|test)$")
  (#eq? @how "todo"))
((call_expression
  function: [(member_expression object: (identifier) @call property: (property_identifier) @how)
             (member_expression
               object: (member_expression
                 object: (identifier) @call property: (property_identifier) @how))]
  arguments: (arguments . [(string) (template_string)] @name)) @deleted-test
  (#eq? @call "Deno")
  (#eq? @how "test"))
