/** Reading the project's source without a compiler: good enough because prettier shapes it. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export const root = path.join(import.meta.dirname, '..', '..')

export interface SourceFile {
  /** From the project's root: `src/core/raft/log.ts`. */
  readonly path: string
  readonly text: string
  /** `text` with comments, strings and regular expressions blanked; line breaks stay. */
  readonly code: string
  readonly imports: readonly Import[]
}

export interface Import {
  readonly from: string
  readonly typeOnly: boolean
}

export function readSources(directory: string, extension: string): SourceFile[] {
  return readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => readSource(path.join(directory, name)))
}

export function readSource(file: string): SourceFile {
  const text = readFileSync(path.join(root, file), 'utf8')
  return { path: file, text, code: blank(text), imports: importsOf(text) }
}

const importStatement = /^(?:import|export)\s+(type\s)?[^'"`]*?\bfrom\s+'([^']+)'/gm
const sideEffectImport = /^import\s+'([^']+)'/gm
const dynamicImport = /\bimport\(\s*'([^']+)'/g

export function importsOf(text: string): Import[] {
  return [
    ...[...text.matchAll(importStatement)].map(([, type, from = '']) => {
      return { from, typeOnly: type !== undefined }
    }),
    ...[...text.matchAll(sideEffectImport)].map(([, from = '']) => ({ from, typeOnly: false })),
    ...[...text.matchAll(dynamicImport)].map(([, from = '']) => ({ from, typeOnly: false })),
  ]
}

/**
 * One token that is not code: a comment, a string, a regular expression (which can only stand
 * where a value may begin), or a template, whose expressions stay code.
 */
const token =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|(?<=(?:^|[(,=:[!&|?{};\n]|=>|\breturn)\s*)\/(?![/*])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*|`(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/g

export function blank(text: string): string {
  const blanked = text.replace(token, hide)
  // The rest of a template after an expression: from the brace that closes it to the next.
  return blanked.replace(/(?<=`[^`]*\$\{[^{}`]*)\}(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/g, hide)
}

const hide = (found: string): string => found.replace(/[^\n`${}]/g, ' ')

export interface LongFunction {
  readonly line: number
  readonly lines: number
}

const opensBlock = /\{$/
const control =
  /^(?:\} )?(?:if|else|for|while|switch|do|try|catch|finally|class|interface|type|enum)\b/
const exportedShape = /^(?:export )?(?:default )?(?:abstract )?(?:class|interface|type)\b/
const functionHead = /\bfunction\b|=> \{$|\)(?:: .+)? \{$/

/**
 * Functions of more than `max` lines. In prettier's shape a block ends at the first line that is
 * indented like its beginning and starts with a brace, and a parameter list over several lines
 * ends in a line that starts with a parenthesis.
 */
export function longFunctions(code: string, max: number): LongFunction[] {
  const lines = code.split('\n').map((line) => line.trimEnd())
  const found: LongFunction[] = []
  lines.forEach((line, at) => {
    if (!opensBlock.test(line)) return
    const start = headOf(lines, at)
    const head = (lines[start] ?? '').trim()
    if (control.test(head) || exportedShape.test(head) || !functionHead.test(line)) return
    const length = endOf(lines, at) - start + 1
    if (length > max) found.push({ line: start + 1, lines: length })
  })
  return found
}

const indentOf = (line: string): number => line.search(/\S|$/)

function headOf(lines: readonly string[], at: number): number {
  const indent = indentOf(lines[at] ?? '')
  let start = at
  while (start > 0 && /^\s*[)>\]}]/.test(lines[start] ?? '')) {
    if (control.test((lines[start] ?? '').trim())) break
    do start -= 1
    while (start > 0 && (lines[start] === '' || indentOf(lines[start] ?? '') > indent))
  }
  return start
}

function endOf(lines: readonly string[], at: number): number {
  const indent = indentOf(lines[at] ?? '')
  for (let end = at + 1; end < lines.length; end += 1) {
    const line = lines[end] ?? ''
    if (indentOf(line) <= indent && line.trimStart().startsWith('}')) return end
  }
  return lines.length
}
