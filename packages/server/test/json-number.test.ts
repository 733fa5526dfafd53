import { expect, test } from 'vitest'

import { isPythonInt, JsonNumber, pythonText } from '../src/http/json-number.ts'

test.each([
  ['0', '0'],
  ['-0', '0'],
  ['7', '7'],
  ['-42', '-42'],
  ['9007199254740993', '9007199254740993'],
  ['123456789012345678901234567890', '123456789012345678901234567890'],
  ['0.0', '0.0'],
  ['-0.0', '-0.0'],
  ['1.0', '1.0'],
  ['1.50', '1.5'],
  ['1e5', '100000.0'],
  ['1E+5', '100000.0'],
  ['0.1', '0.1'],
  ['0.0001', '0.0001'],
  ['0.00012', '0.00012'],
  ['0.00001', '1e-05'],
  ['1.25e-7', '1.25e-07'],
  ['1e-400', '0.0'],
  ['9999999999999998.0', '9999999999999998.0'],
  ['1e15', '1000000000000000.0'],
  ['1e16', '1e+16'],
  ['-12345678901234567.0', '-1.2345678901234568e+16'],
  ['1.7976931348623157e308', '1.7976931348623157e+308'],
])('writes %s as Python does: %s', (source, text) => {
  expect(pythonText(new JsonNumber(source))).toBe(text)
})

test.each([
  ['1', true],
  ['-0', true],
  ['1.0', false],
  ['1e2', false],
])('knows whether %s is an int: %s', (source, isInt) => {
  expect(isPythonInt(new JsonNumber(source))).toBe(isInt)
})
