/**
 * The story of test/e2e/without-repository.test.ts to its end: after a power cut the machine that
 * was blank boots again, and nobody has to admit it a second time. Two minutes more.
 *
 *     npm run test:long -- without-repository      (as root)
 */
process.env['JANGADA_TEST_LONG'] = '1'
await import('../e2e/without-repository.test.ts')
