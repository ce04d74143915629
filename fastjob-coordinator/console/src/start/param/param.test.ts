import { expect, test } from 'vitest'
import { schemaFields } from './schema'
import { fieldErrors, readMembers, shown, typedValue, writeMembers } from './values'

/** As `schemars` writes it. */
const schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Month',
  type: 'object',
  properties: {
    month: { type: 'string', description: 'The month of the report' },
    limit: { type: ['integer', 'null'], format: 'uint32', minimum: 1, maximum: 100 },
    rate: { type: 'number', default: 0.5 },
    dry: { type: 'boolean', default: false },
    currency: { $ref: '#/$defs/Currency' },
    kind: { anyOf: [{ $ref: '#/$defs/Kind' }, { type: 'null' }] },
    tags: { type: 'array', items: { type: 'string' } },
    ids: { type: 'array', items: { type: 'integer' }, default: [] },
  },
  required: ['month', 'currency', 'tags'],
  $defs: {
    Currency: { type: 'string', enum: ['EUR', 'CNY'] },
    Kind: { oneOf: [{ const: 'full', title: 'All of it' }, { const: 'part' }] },
  },
}

const fields = schemaFields(schema) ?? []
const field = (name: string) => fields.find((one) => one.name === name) ?? expect.fail(name)

test('a schema of simple properties is a form', () => {
  expect(fields.map(({ name, type, required, nullable }) => [name, type, required, nullable])).toEqual([
    ['month', 'string', true, false],
    ['limit', 'integer', false, true],
    ['rate', 'number', false, false],
    ['dry', 'boolean', false, false],
    ['currency', 'choice', true, false],
    ['kind', 'choice', false, true],
    ['tags', 'list', true, false],
    ['ids', 'list', false, false],
  ])
  expect(field('kind').choices.map(({ label }) => label)).toEqual(['All of it', 'part'])
  expect(field('limit')).toMatchObject({ min: 1, max: 100 })
})

test.each([
  null,
  { type: 'string' },
  { type: 'object', properties: {} },
  { type: 'object', properties: { a: { type: 'object', properties: {} } } },
  { type: 'object', properties: { a: { $ref: '#/$defs/No' } } },
  { type: 'object', properties: { a: { $ref: '#/properties/a' } } },
  { type: 'object', properties: { a: { type: 'array', items: { type: 'array' } } } },
  { oneOf: [{ type: 'object', properties: { a: { type: 'string' } } }] },
])('%j is edited as JSON', (other) => expect(schemaFields(other)).toBeNull())

test('an edit of a member leaves the others as they were written', () => {
  const members = readMembers(
    '{"month": "2026-11", "id": 12345678901234567890, "more": {"a": [1, {"b": "}"}]}}',
  )
  expect([...(members ?? [])]).toEqual([
    ['month', '"2026-11"'],
    ['id', '12345678901234567890'],
    ['more', '{"a": [1, {"b": "}"}]}'],
  ])
  members?.set('month', '"2026-12"')
  const text = writeMembers(members ?? new Map())
  expect(text).toContain('12345678901234567890')
  expect([...(readMembers(text) ?? [])]).toEqual([...(members ?? [])])
  expect(readMembers('')).toEqual(new Map())
  expect(readMembers('{}')).toEqual(new Map())
  expect(readMembers('[1]')).toBeNull()
  expect(readMembers('{"a": }')).toBeNull()
})

test('what is typed becomes JSON, or says what is wrong', () => {
  expect(typedValue(field('month'), '2026-11')).toEqual({ json: '"2026-11"' })
  expect(typedValue(field('month'), '')).toEqual({ json: '""' })
  expect(typedValue(field('limit'), '')).toEqual({})
  expect(typedValue(field('limit'), '7')).toEqual({ json: '7' })
  expect(typedValue(field('limit'), '7.5')).toEqual({ error: 'integer' })
  expect(typedValue(field('limit'), '101')).toEqual({ json: '101', error: 'most' })
  expect(typedValue(field('rate'), '1e3')).toEqual({ json: '1e3' })
  expect(typedValue(field('rate'), '1,5')).toEqual({ error: 'number' })
  expect(typedValue(field('currency'), '"EUR"')).toEqual({ json: '"EUR"' })
  expect(typedValue(field('tags'), 'a\n\nb c')).toEqual({ json: '["a", "b c"]' })
  expect(typedValue(field('tags'), '')).toEqual({ json: '[]' })
  expect(typedValue(field('ids'), '1\nx')).toEqual({ error: 'integer' })
  expect(shown(field('tags'), '["a","b c"]')).toBe('a\nb c')
  expect(shown(field('month'), '5')).toBeNull()
})

test('a param is checked field by field', () => {
  const errors = fieldErrors(fields, readMembers('{"month":"2026-11","limit":0,"tags":[]}') ?? new Map())
  expect([...errors]).toEqual([
    ['limit', 'least'],
    ['currency', 'missing'],
  ])
})
