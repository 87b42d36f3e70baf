/// The same run in every style of `LaunchStyle`, as text to copy, to write to a file, or to print.

import Formats
import Platform

extension Configuration {
    /// The configuration as `style` writes it.
    public func launch(_ style: LaunchStyle, for command: Command, shape: LaunchShape = LaunchShape()) -> LaunchText {
        let name = launchName(command)
        switch style {
        case .command, .full:
            let text = Self.joined(launchWords(style, for: command))
            return LaunchText(text: text, notes: [], fileName: name + ".sh", isScript: true)
        case .yaml: return LaunchText(text: yaml(), notes: [], fileName: name + ".yaml", isScript: false)
        case .factory:
            let text = Self.joined(launchWords(style, for: command))
            return LaunchText(text: text, notes: FactoryArguments(self, command).notes, fileName: name + ".sh", isScript: true)
        case .factoryYAML:
            let factory = FactoryArguments(self, command)
            var text = "# llamafactory-cli \(factory.command) \(name).yaml\n" + Self.comments(factory.notes)
            if !factory.environment.isEmpty { text += "# with \(factory.environment.joined(separator: " "))\n" }
            return LaunchText(text: text + factory.yaml(), notes: factory.notes, fileName: name + ".yaml", isScript: false)
        case .zero2, .zero3, .fsdp: return torchrun(style, name, command, shape)
        case .slurm: return slurm(name, command, shape)
        }
    }

    /// The words of a style that is a single command: variables first, each option followed by its value.
    public func launchWords(_ style: LaunchStyle, for command: Command) -> [String] {
        switch style {
        case .full: return arguments(command, style: .full)
        case .factory:
            let factory = FactoryArguments(self, command)
            return (factory.environment.isEmpty ? [] : ["env"] + factory.environment) + factory.words
        case .command, .yaml, .factoryYAML, .zero2, .zero3, .fsdp, .slurm: return arguments(command, style: .minimal)
        }
    }

    private static func joined(_ words: [String]) -> String { words.map(shellQuoted).joined(separator: " ") }

    private static func comments(_ notes: [String]) -> String { notes.map { "# \($0.replacing("\n", with: " "))\n" }.joined() }

    /// What files of the launch are called: the run's folder, as far as it makes a plain name.
    private func launchName(_ command: Command) -> String {
        let folder = Path.name(text(command == .export ? "export_dir" : "output_dir"))
        let plain = folder.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
        return plain.isEmpty || plain.hasPrefix(".") || plain.hasPrefix("-") ? command.rawValue : plain
    }

    // MARK: Several machines

    /// What every distributed launch says in front.
    private func distributedNotes(_ factory: FactoryArguments, _ shape: LaunchShape) -> [String] {
        // As numbers with a point: the product of what somebody typed must not overflow.
        let own = Double(self[.perDeviceTrainBatchSize]) * Double(self[.gradientAccumulationSteps])
        let all = NumberText.fixed(own * Double(shape.deviceCount), digits: 0)
        var notes = factory.notes
        notes.append(
            "Effective batch: \(NumberText.fixed(own, digits: 0)) samples on each of \(shape.deviceCount) devices, \(all) in all.")
        if text("device") == "cpu" { notes.append("The form asks for the CPU; this launch is for GPUs.") }
        return notes
    }

    /// The files that a launch needs, as shell commands that write them.
    private func filesOfLaunch(_ style: LaunchStyle, _ name: String, _ factory: FactoryArguments) -> String {
        var further: [(String, JSONValue)] = []
        var text = "mkdir -p launch\n"
        let sharding = style.sharding ?? ""
        if style == .fsdp {
            further = [("fsdp", .string("full_shard auto_wrap")), ("fsdp_config", Self.fsdpSettings)]
        } else if self.text("deepspeed").isEmpty {
            let path = "launch/\(name).\(sharding).json"
            further = [("deepspeed", .string(path))]
            text += "cat > \(path) <<'JSON'\n\(Self.deepSpeedSettings(stage: style == .zero2 ? 2 : 3).text(style: .indented(2)))\nJSON\n"
        }
        let yaml = factory.yaml(further).split(separator: "\n").filter { !$0.hasPrefix("use_cpu:") }.joined(separator: "\n")
        return text + "cat > launch/\(name).yaml <<'YAML'\n\(yaml)\nYAML\n"
    }

    private func torchrun(_ style: LaunchStyle, _ name: String, _ command: Command, _ shape: LaunchShape) -> LaunchText {
        let factory = FactoryArguments(self, command)
        let notes = distributedNotes(factory, shape)
        let text = """
            #!/usr/bin/env bash
            # \(style.title). Machines: \(shape.machines), GPUs on each: \(shape.devicesPerMachine). Run it on each machine:
            #   MASTER_ADDR=<address of the first> NODE_RANK=<0 on the first, then 1, 2, ...> bash \(name).sh
            \(Self.comments(notes))set -euo pipefail
            : "${MASTER_ADDR:?the address of the first machine}" "${NODE_RANK:?0 on the first machine, 1 on the next}"
            \(filesOfLaunch(style, name, factory))\(Self.exports(factory.environment.filter { !$0.hasPrefix("CUDA_VISIBLE_DEVICES") }))torchrun \\
                --nnodes "${NNODES:-\(shape.machines)}" --node_rank "$NODE_RANK" \\
                --nproc_per_node "${NPROC_PER_NODE:-\(shape.devicesPerMachine)}" \\
                --master_addr "$MASTER_ADDR" --master_port "${MASTER_PORT:-29500}" \\
                -m llamafactory.launcher launch/\(name).yaml

            """
        return LaunchText(text: text, notes: notes, fileName: name + ".sh", isScript: true)
    }

    private func slurm(_ name: String, _ command: Command, _ shape: LaunchShape) -> LaunchText {
        let factory = FactoryArguments(self, command)
        let notes = distributedNotes(factory, shape)
        let text = """
            #!/usr/bin/env bash
            #SBATCH --job-name=\(name)
            #SBATCH --nodes=\(shape.machines)
            #SBATCH --ntasks-per-node=1
            #SBATCH --gpus-per-node=\(shape.devicesPerMachine)
            #SBATCH --output=\(name)-%j.log
            # Submit it with: sbatch \(name).sh   The folder must be one that all machines see.
            \(Self.comments(notes))set -euo pipefail
            \(filesOfLaunch(.slurm, name, factory))\(Self.exports(factory.environment.filter { !$0.hasPrefix("CUDA_VISIBLE_DEVICES") }))first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
            srun torchrun \\
                --nnodes "$SLURM_NNODES" --nproc_per_node \(shape.devicesPerMachine) \\
                --rdzv_backend c10d --rdzv_id "$SLURM_JOB_ID" --rdzv_endpoint "$first:${MASTER_PORT:-29500}" \\
                -m llamafactory.launcher launch/\(name).yaml

            """
        return LaunchText(text: text, notes: notes, fileName: name + ".sh", isScript: true)
    }

    private static func exports(_ variables: [String]) -> String {
        variables.isEmpty ? "" : "export \(variables.map(shellQuoted).joined(separator: " "))\n"
    }

    /// DeepSpeed's settings for ZeRO; what is "auto" follows the Trainer's arguments.
    private static func deepSpeedSettings(stage: Int) -> JSONValue {
        let zero: JSONObject
        if stage == 3 {
            zero = JSONObject([
                ("stage", .integer(3)), ("overlap_comm", .bool(false)), ("contiguous_gradients", .bool(true)),
                ("reduce_bucket_size", .string("auto")), ("stage3_prefetch_bucket_size", .string("auto")),
                ("stage3_param_persistence_threshold", .string("auto")), ("stage3_gather_16bit_weights_on_model_save", .bool(true)),
            ])
        } else {
            zero = JSONObject([
                ("stage", .integer(2)), ("overlap_comm", .bool(false)), ("contiguous_gradients", .bool(true)),
                ("allgather_partitions", .bool(true)), ("reduce_scatter", .bool(true)),
            ])
        }
        let auto = JSONValue.object(JSONObject([("enabled", .string("auto"))]))
        return .object(JSONObject([
            ("train_batch_size", .string("auto")), ("train_micro_batch_size_per_gpu", .string("auto")),
            ("gradient_accumulation_steps", .string("auto")), ("gradient_clipping", .string("auto")),
            ("zero_allow_untested_optimizer", .bool(true)), ("bf16", auto), ("fp16", auto), ("zero_optimization", .object(zero)),
        ]))
    }

    private static let fsdpSettings = JSONValue.object(JSONObject([
        ("fsdp_version", .integer(2)), ("reshard_after_forward", .bool(true)), ("cpu_ram_efficient_loading", .bool(true)),
        ("state_dict_type", .string("FULL_STATE_DICT")),
    ]))
}
