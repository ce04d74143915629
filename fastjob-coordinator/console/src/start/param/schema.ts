/** A form from the JSON schema of a handler's param: object properties of simple types, choices, and lists of
 * simple types. Anything else is edited as JSON. */

import type { Json } from '../../api/types'

export type SimpleType = 'string' | 'integer' | 'number' | 'boolean' | 'choice'

export interface SchemaField {
  name: string
  title: string
  description: string
  type: SimpleType | 'list'
  /** What the items of a list are. */
  item: SimpleType
  /** The values of a choice, as JSON, with their words. */
  choices: { json: string; label: string }[]
  required: boolean
  nullable: boolean
  /** What is used if the field is left out, as JSON. */
  default: string | null
  min: number | null
  max: number | null
  /** `date`, `date-time`, `uri` … */
  format: string
}

type Schema = { [key: string]: Json | undefined }

const MOST_FIELDS = 40
const DEEPEST = 8

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The fields of the form; null if the schema asks for more than a form of simple fields. */
export function schemaFields(schema: unknown): SchemaField[] | null {
  if (!isSchema(schema)) return null
  const root = resolve(schema, schema)
  if (!root || !isSchema(root.properties) || root.oneOf || root.anyOf || root.allOf) return null
  const entries = Object.entries(root.properties)
  const required = Array.isArray(root.required) ? root.required : []
  if (entries.length === 0 || entries.length > MOST_FIELDS) return null
  const fields = entries.map(([name, property]) => field(name, property, schema, required.includes(name)))
  return fields.every((one): one is SchemaField => one !== null) ? fields : null
}

function field(
  name: string,
  property: Json | undefined,
  root: Schema,
  required: boolean,
): SchemaField | null {
  if (!isSchema(property)) return null
  const { schema, nullable } = withoutNull(property, root)
  if (!schema) return null
  const simple = simpleType(schema)
  const items = schema.type === 'array' && isSchema(schema.items) ? withoutNull(schema.items, root) : null
  const item = items?.schema ? simpleType(items.schema) : null
  const type = simple ?? (item && item !== 'boolean' && !items?.nullable ? ('list' as const) : null)
  if (!type) return null
  const text = (value: Json | undefined) => (typeof value === 'string' ? value : '')
  const number = (value: Json | undefined) => (typeof value === 'number' ? value : null)
  const given = property.default ?? schema.default
  return {
    name,
    title: text(property.title) || text(schema.title),
    description: text(property.description) || text(schema.description),
    type,
    item: item ?? 'string',
    choices: choices(type === 'list' && items?.schema ? items.schema : schema),
    required,
    nullable,
    default: given === undefined ? null : JSON.stringify(given),
    min: number(schema.minimum),
    max: number(schema.maximum),
    format: text(schema.format),
  }
}

/** Follows references within the schema. */
function resolve(schema: Schema, root: Schema, depth = 0): Schema | null {
  const { $ref: ref, allOf } = schema
  if (depth > DEEPEST) return null
  if (typeof ref === 'string') {
    if (!ref.startsWith('#/')) return null
    let at: unknown = root
    for (const part of ref.slice(2).split('/')) {
      at = isSchema(at) ? at[decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')] : undefined
    }
    return isSchema(at) ? resolve(at, root, depth + 1) : null
  }
  // What some generators write for a reference with a description.
  const [only] = Array.isArray(allOf) ? allOf : []
  if (Array.isArray(allOf) && allOf.length === 1 && isSchema(only)) return resolve(only, root, depth + 1)
  return schema
}

function withoutNull(property: Schema, root: Schema): { schema: Schema | null; nullable: boolean } {
  const schema = resolve(property, root)
  if (!schema) return { schema: null, nullable: false }
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== 'null')
    const nullable = types.length < schema.type.length
    return types.length === 1
      ? { schema: { ...schema, type: types[0] as string }, nullable }
      : { schema: null, nullable }
  }
  if (!Array.isArray(schema.anyOf)) return { schema, nullable: false }
  const others = schema.anyOf.filter((one) => !(isSchema(one) && one.type === 'null'))
  const [only] = others
  const found = others.length === 1 && isSchema(only) ? resolve(only, root) : null
  return { schema: found, nullable: others.length < schema.anyOf.length }
}

function simpleType(schema: Schema): SimpleType | null {
  if (choices(schema).length > 0) return 'choice'
  const { type } = schema
  return type === 'string' || type === 'integer' || type === 'number' || type === 'boolean' ? type : null
}

function choices(schema: Schema): SchemaField['choices'] {
  const choice = (value: Json, label?: Json) => ({
    json: JSON.stringify(value),
    label:
      typeof label === 'string' && label !== ''
        ? label
        : typeof value === 'string'
          ? value
          : JSON.stringify(value),
  })
  if (Array.isArray(schema.enum))
    return schema.enum.filter((value) => value !== null).map((value) => choice(value))
  if (!Array.isArray(schema.oneOf)) return []
  const constants = schema.oneOf.filter(
    (one): one is { [key: string]: Json } => isSchema(one) && one.const !== undefined,
  )
  if (constants.length !== schema.oneOf.length) return []
  return constants.map((one) => ({
    ...choice(one.const as Json),
    ...(one.title && { label: String(one.title) }),
  }))
}
