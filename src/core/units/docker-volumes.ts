/**
 * The named volumes of a `docker run` line that are on one machine alone. Not so: paths of the machine,
 * anonymous volumes, volumes of a driver that is not `local`, and those in which `local` mounts a file
 * system of the network (`volume-opt=type=nfs`).
 */
import type { HostConfig } from '../../base/container-spec.ts'

/** Types of `mount` whose data is elsewhere. */
const ofTheNetwork = new Set(['nfs', 'nfs4', 'cifs', 'smb3', 'ceph', 'glusterfs', '9p'])

/** Each once, in order. */
export function localVolumesOf({ Binds = [], Mounts = [], VolumeDriver }: HostConfig): string[] {
  const ofBinds = Binds.map((bind) => bind.split(':')[0] ?? '').filter((source) => {
    return !source.startsWith('/') && (VolumeDriver === undefined || isLocal(VolumeDriver))
  })
  const ofMounts = Mounts.flatMap(({ Type, Source, VolumeOptions }) => {
    if (Type !== 'volume' || Source === undefined) return []
    const { Name = VolumeDriver ?? '', Options = {} } = VolumeOptions?.DriverConfig ?? {}
    return isLocal(Name) && !ofTheNetwork.has(Options['type'] ?? '') ? [Source] : []
  })
  return [...new Set([...ofBinds, ...ofMounts])].toSorted()
}

const isLocal = (driver: string): boolean => driver === '' || driver === 'local'
