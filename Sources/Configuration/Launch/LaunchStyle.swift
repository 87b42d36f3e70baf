/// The ways in which one configuration can be started, here and by others.

/// A form of the preview command. The raw value is what `--preview` takes.
public enum LaunchStyle: String, Sendable, CaseIterable {
    /// `tuneboard train recipe.yaml --learning_rate 5e-05`
    case command
    /// Every value that is not a default, without a recipe.
    case full
    case yaml
    /// `llamafactory-cli train --stage sft ...`
    case factory = "llamafactory"
    /// The file for `llamafactory-cli train FILE`.
    case factoryYAML = "llamafactory-yaml"
    /// LLaMA-Factory under torchrun, weights' gradients and optimizer state sharded by DeepSpeed.
    case zero2 = "torchrun-zero2"
    /// The same with the weights sharded too.
    case zero3 = "torchrun-zero3"
    /// The same by PyTorch's own fully sharded data parallelism.
    case fsdp = "torchrun-fsdp"
    /// A batch script that starts torchrun with ZeRO-3 on every machine of a Slurm job.
    case slurm

    public var title: String {
        switch self {
        case .command: "command"
        case .full: "command, every value"
        case .yaml: "YAML"
        case .factory: "for LLaMA-Factory"
        case .factoryYAML: "YAML for LLaMA-Factory"
        case .zero2: "torchrun, DeepSpeed ZeRO-2"
        case .zero3: "torchrun, DeepSpeed ZeRO-3"
        case .fsdp: "torchrun, FSDP"
        case .slurm: "Slurm batch script"
        }
    }

    /// One command that may be broken between its options; the others are texts whose lines stay as they are.
    public var isSingleCommand: Bool { self == .command || self == .full || self == .factory }

    public var isYAML: Bool { self == .yaml || self == .factoryYAML }

    /// True where the number of machines and of devices matters.
    public var isDistributed: Bool {
        switch self {
        case .zero2, .zero3, .fsdp, .slurm: true
        case .command, .full, .yaml, .factory, .factoryYAML: false
        }
    }

    /// Whether the style can start the command: a model is not talked to or exported by several machines.
    public func suits(_ command: Command) -> Bool { !isDistributed || command == .train || command == .evaluate }

    /// How the run is sharded, as part of a file name.
    var sharding: String? {
        switch self {
        case .zero2: "zero2"
        case .zero3, .slurm: "zero3"
        case .fsdp: "fsdp"
        case .command, .full, .yaml, .factory, .factoryYAML: nil
        }
    }
}

/// How many machines a distributed launch is for.
public struct LaunchShape: Sendable, Equatable {
    public var machines: Int
    /// GPUs, and so processes, on each machine.
    public var devicesPerMachine: Int

    public init(machines: Int = 2, devicesPerMachine: Int = 8) {
        self.machines = min(max(1, machines), 4096)
        self.devicesPerMachine = min(max(1, devicesPerMachine), 64)
    }

    public var deviceCount: Int { machines * devicesPerMachine }
}

/// A configuration written out in one style.
public struct LaunchText: Sendable, Equatable {
    public var text: String
    /// What could not be said in this style, or should be known before running it. Scripts hold these as comments as well.
    public var notes: [String]
    /// What to call the file when it is written to one.
    public var fileName: String
    /// True when the file is to be run.
    public var isScript: Bool
}
