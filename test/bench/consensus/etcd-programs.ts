/** Debian's etcd, beside the machine's programs: installed it would start as a service. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { must } from '../../../src/tools/rack/processes.ts'

const kept = path.join(import.meta.dirname, '../../../.cache/etcd')
const fetchMs = 300_000

/** The directory with `etcd` and `etcdctl`; fetched once. Throws when Debian's packages are out of reach. */
export async function etcdPrograms(): Promise<string> {
  if (!existsSync(kept)) {
    await mkdir(path.dirname(kept), { recursive: true })
    const draft = await mkdtemp(`${kept}-`)
    const fetch = 'cd "$0" && exec apt-get download etcd-server etcd-client'
    try {
      await must(['sh', '-c', fetch, draft], { timeoutMs: fetchMs })
      for (const name of await readdir(draft)) {
        await must(['dpkg', '-x', path.join(draft, name), draft], { timeoutMs: fetchMs })
      }
      await rename(draft, kept)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  }
  return path.join(kept, 'usr/bin')
}
