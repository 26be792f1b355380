/**
 * The body of the engine's `POST /containers/create` (Docker Engine API v1.41), in the engine's
 * own field names: the part of it that `docker run` of Docker 20.10 can set. Types only. A field
 * that is absent means what the engine takes as its default.
 *
 * It stands in `base` because `core/units` writes it and `ports` hands it to the engine.
 */

export interface ContainerSpec {
  readonly Image: string
  /** Replaces the image's command. */
  readonly Cmd?: readonly string[]
  /** Replaces the image's entry point; `['']` takes it away. */
  readonly Entrypoint?: readonly string[]
  /** `NAME=value`; `NAME` alone removes the image's variable. */
  readonly Env?: readonly string[]
  readonly Labels?: Readonly<Record<string, string>>
  readonly Hostname?: string
  readonly Domainname?: string
  readonly User?: string
  readonly WorkingDir?: string
  readonly MacAddress?: string
  readonly Tty?: boolean
  readonly OpenStdin?: boolean
  readonly StopSignal?: string
  /** Seconds. */
  readonly StopTimeout?: number
  readonly Healthcheck?: HealthConfig
  /** Keys as `80/tcp`. */
  readonly ExposedPorts?: Readonly<Record<string, EmptyObject>>
  /** Anonymous volumes: paths in the container. */
  readonly Volumes?: Readonly<Record<string, EmptyObject>>
  readonly HostConfig?: HostConfig
  readonly NetworkingConfig?: NetworkingConfig
}

export type EmptyObject = Readonly<Record<string, never>>

/** Times in nanoseconds, 0 or absent means inherit from the image. */
export interface HealthConfig {
  /** `['NONE']`, or `['CMD-SHELL', command]`. */
  readonly Test?: readonly string[]
  readonly Interval?: number
  readonly Timeout?: number
  readonly StartPeriod?: number
  readonly Retries?: number
}

export interface HostConfig {
  /** `host-path-or-volume:container-path[:options]` */
  readonly Binds?: readonly string[]
  readonly Mounts?: readonly Mount[]
  /** Container path to mount options. */
  readonly Tmpfs?: Readonly<Record<string, string>>
  readonly VolumeDriver?: string
  readonly LogConfig?: { readonly Type: string; readonly Config: Readonly<Record<string, string>> }

  readonly NetworkMode?: string
  readonly PortBindings?: Readonly<Record<string, readonly PortBinding[]>>
  readonly PublishAllPorts?: boolean
  readonly Dns?: readonly string[]
  readonly DnsOptions?: readonly string[]
  readonly DnsSearch?: readonly string[]
  /** `host:address` */
  readonly ExtraHosts?: readonly string[]

  readonly CapAdd?: readonly string[]
  readonly CapDrop?: readonly string[]
  readonly GroupAdd?: readonly string[]
  readonly Privileged?: boolean
  readonly ReadonlyRootfs?: boolean
  readonly SecurityOpt?: readonly string[]
  /** `[]` with `--security-opt systempaths=unconfined`; absent means the engine's own list. */
  readonly MaskedPaths?: readonly string[]
  readonly ReadonlyPaths?: readonly string[]
  readonly CgroupnsMode?: string
  readonly IpcMode?: string
  readonly PidMode?: string
  readonly UTSMode?: string
  readonly UsernsMode?: string
  readonly CgroupParent?: string
  readonly Runtime?: string
  readonly Init?: boolean
  readonly StorageOpt?: Readonly<Record<string, string>>
  readonly Sysctls?: Readonly<Record<string, string>>
  /** Bytes. */
  readonly ShmSize?: number
  readonly OomScoreAdj?: number

  readonly CpuShares?: number
  /** Billionths of a processor. */
  readonly NanoCpus?: number
  /** Microseconds, as the next three. */
  readonly CpuPeriod?: number
  readonly CpuQuota?: number
  readonly CpuRealtimePeriod?: number
  readonly CpuRealtimeRuntime?: number
  readonly CpusetCpus?: string
  readonly CpusetMems?: string
  /** Bytes, as the next three; `MemorySwap` -1 means no limit. */
  readonly Memory?: number
  readonly MemoryReservation?: number
  readonly MemorySwap?: number
  readonly KernelMemory?: number
  /** 0 to 100, or -1 for the kernel's own. */
  readonly MemorySwappiness?: number
  readonly OomKillDisable?: boolean
  readonly PidsLimit?: number
  readonly Ulimits?: readonly Ulimit[]
  readonly Devices?: readonly DeviceMapping[]
  readonly DeviceCgroupRules?: readonly string[]
  readonly DeviceRequests?: readonly DeviceRequest[]
  readonly BlkioWeight?: number
  readonly BlkioWeightDevice?: readonly WeightDevice[]
  readonly BlkioDeviceReadBps?: readonly ThrottleDevice[]
  readonly BlkioDeviceWriteBps?: readonly ThrottleDevice[]
  readonly BlkioDeviceReadIOps?: readonly ThrottleDevice[]
  readonly BlkioDeviceWriteIOps?: readonly ThrottleDevice[]
}

export interface PortBinding {
  /** Empty means every address of the host. */
  readonly HostIp: string
  /** Empty means a port that the engine picks; `8000-8010` means one of these. */
  readonly HostPort: string
}

export interface Mount {
  readonly Type: 'bind' | 'volume' | 'tmpfs'
  readonly Source?: string
  readonly Target: string
  readonly ReadOnly?: boolean
  readonly Consistency?: string
  readonly BindOptions?: { readonly Propagation?: string; readonly NonRecursive?: boolean }
  readonly VolumeOptions?: {
    readonly NoCopy?: boolean
    readonly Labels?: Readonly<Record<string, string>>
    readonly DriverConfig?: {
      readonly Name?: string
      readonly Options?: Readonly<Record<string, string>>
    }
  }
  readonly TmpfsOptions?: { readonly SizeBytes?: number; readonly Mode?: number }
}

export interface Ulimit {
  readonly Name: string
  readonly Soft: number
  readonly Hard: number
}

export interface DeviceMapping {
  readonly PathOnHost: string
  readonly PathInContainer: string
  readonly CgroupPermissions: string
}

export interface DeviceRequest {
  readonly Driver: string
  /** -1 means all; 0 with `DeviceIDs` means these. */
  readonly Count: number
  readonly DeviceIDs?: readonly string[]
  /** Any of these lists, each of which must hold whole. */
  readonly Capabilities: readonly (readonly string[])[]
  readonly Options: Readonly<Record<string, string>>
}

export interface WeightDevice {
  readonly Path: string
  readonly Weight: number
}

export interface ThrottleDevice {
  readonly Path: string
  readonly Rate: number
}

export interface NetworkingConfig {
  readonly EndpointsConfig: Readonly<Record<string, EndpointSettings>>
}

export interface EndpointSettings {
  readonly Aliases?: readonly string[]
  readonly DriverOpts?: Readonly<Record<string, string>>
  readonly IPAMConfig?: {
    readonly IPv4Address?: string
    readonly IPv6Address?: string
    readonly LinkLocalIPs?: readonly string[]
  }
}
