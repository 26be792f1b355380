/** The unit files of the simulation: one for each rule, and a template. */
import type { MachineId } from '../../src/base/ids.ts'

/** Process 1 of a container hears SIGTERM only under an init; without one it takes the grace. */
const service = (flags: string): string => `[Service]
Restart=always
RestartSec=1
TimeoutStartSec=0
TimeoutStopSec=2
ExecStart=/usr/bin/docker run --pull never ${flags} busybox:jangada
`

const init = '--init'

export interface UnitFile {
  readonly name: string
  readonly file: string
}

export function unitFiles(pinned: MachineId): readonly UnitFile[] {
  const unit = (name: string, rules: string, flags = init): UnitFile => ({
    name,
    file: service(flags) + (rules === '' ? '' : `\n[X-Fleet]\n${rules}\n`),
  })
  return [
    unit('report.service', ''),
    unit('slow.service', '', ''),
    unit('cache.service', ''),
    unit('web.service', 'MachineOf=cache.service'),
    unit('db-a.service', 'Conflicts=db-*.service'),
    unit('db-b.service', 'Conflicts=db-*.service'),
    unit('fast.service', 'MachineMetadata=disk=ssd'),
    unit('here.service', `MachineID=${pinned}`),
    unit('everywhere.service', 'Global=true'),
    unit('alone.service', 'Fencing=stop'),
    unit('alone-slow.service', 'Fencing=stop\nFencingGrace=1s', ''),
    unit('hello@.service', ''),
  ]
}

/** The same unit with another content, as after an edit. */
export const edited = ({ name, file }: UnitFile, edit: number): UnitFile => ({
  name,
  file: file.replace('[Service]\n', `[Service]\nEnvironment=EDIT=${edit}\n`),
})

export const instances = [1, 2, 3, 4].map((number) => `hello@${number}.service`)
