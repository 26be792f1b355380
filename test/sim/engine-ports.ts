/** Ports of the host: an engine gives each to one container at a time. */
import type { ContainerSpec } from '../../src/base/container-spec.ts'
import { JangadaError } from '../../src/base/errors.ts'

/** Of every address, or of one: `address:port/protocol`. */
function portsOf({ HostConfig }: ContainerSpec): { ip: string; port: string }[] {
  return Object.entries(HostConfig?.PortBindings ?? {}).flatMap(([inside, bindings]) =>
    bindings.flatMap(({ HostIp, HostPort }) => {
      if (HostPort === '') return []
      const ip = HostIp === '' ? '0.0.0.0' : HostIp
      return [{ ip, port: `${HostPort}/${inside.split('/')[1] ?? 'tcp'}` }]
    }),
  )
}

/** Throws what Docker says of a start whose port is held by one of `running`. */
export function requirePorts(spec: ContainerSpec, running: readonly ContainerSpec[]): void {
  const held = running.flatMap(portsOf)
  for (const { ip, port } of portsOf(spec)) {
    const isSame = (other: string): boolean => [other, ip].includes('0.0.0.0') || other === ip
    if (!held.some((other) => other.port === port && isSame(other.ip))) continue
    const [number = ''] = port.split('/')
    throw new JangadaError(
      'JGD_BAD_REQUEST',
      `driver failed programming external connectivity: Bind for ${ip}:${number} failed: port is already allocated`,
    )
  }
}
