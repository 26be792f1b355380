import t from 'tap'
import { debianSources } from '../../../src/tools/image/apt-sources.ts'

const mirror = 'http://mirror.example/debian'

t.test('one-line sources, as older machines have them', (t) => {
  const text = [
    '# deb http://commented.example/debian bookworm main',
    `deb ${mirror} bookworm main contrib # with a comment`,
    `deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror}/ bookworm-updates main`,
    `deb-src ${mirror} bookworm main`,
    'deb http://security.example/debian-security bookworm-security main',
    `deb ${mirror} bookworm-backports main`,
  ].join('\n')
  t.same(debianSources([{ name: 'sources.list', text }], 'bookworm'), [
    { uri: mirror, suite: 'bookworm' },
    { uri: mirror, suite: 'bookworm-updates' },
    { uri: 'http://security.example/debian-security', suite: 'bookworm-security' },
  ])
  t.end()
})

t.test('deb822 sources, as installers write them now', (t) => {
  const text = `Types: deb deb-src
# a comment inside a stanza
URIs: ${mirror}
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no
`
  t.same(debianSources([{ name: 'debian.sources', text }], 'bookworm'), [
    { uri: mirror, suite: 'bookworm' },
    { uri: mirror, suite: 'bookworm-updates' },
  ])
  t.end()
})

t.test("third parties' archives are not Debian, even under Debian's suite names", (t) => {
  const files = [
    { name: 'sources.list', text: `deb ${mirror} bookworm main` },
    {
      name: 'other.list',
      text: [
        'deb [signed-by=/usr/share/keyrings/other.gpg] http://other.example bookworm main',
        'deb http://engine.example/linux/debian bookworm stable',
      ].join('\n'),
    },
    {
      name: 'node.sources',
      text: 'Types: deb\nURIs: http://node.example\nSuites: nodistro\nComponents: main\n',
    },
  ]
  t.same(debianSources(files, 'bookworm'), [{ uri: mirror, suite: 'bookworm' }])
  t.throws(() => debianSources(files.slice(1), 'bookworm'), { code: 'JGD_TOOL_MISSING' })
  t.throws(() => debianSources(files, 'trixie'), { code: 'JGD_TOOL_MISSING' })
  t.end()
})
