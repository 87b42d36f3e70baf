/// `tuneboard prepare`: models made ready for a method before it trains them.

import Formats
import Models
import Platform
import Tensors

enum PrepareCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        switch invocation.words.first {
        case "blocks": return try blocks(invocation)
        case "pissa": return try pissa(invocation)
        case "loftq": return try loftq(invocation)
        case nil, _?: throw UsageError("which one? tuneboard prepare blocks|pissa|loftq")
        }
    }

    /// LLaMA-Factory's scripts/llama_pro.py.
    private static func blocks(_ invocation: Invocation) throws -> Int32 {
        let (model, output) = try folders(invocation)
        let added = try number(invocation, "num_expand", from: 1)
        let expansion = try BlockExpansion(directory: model, added: added)
        try expansion.write(to: output)
        Output.print("\(expansion.sources.count - added) layers are \(expansion.sources.count) now, in \(output). Train the new ones with:")
        for line in [
            "model_name_or_path: \(output)", "finetuning_type: freeze", "freeze_trainable_layers: \(added)", "use_llama_pro: true",
        ] { Output.print(line) }
        return ExitCode.done
    }

    /// LLaMA-Factory's scripts/pissa_init.py.
    private static func pissa(_ invocation: Invocation) throws -> Int32 {
        let (directory, output) = try folders(invocation)
        let rounds = try number(invocation, "pissa_iter", from: -1, default: 16)
        let model = try adapted(directory, invocation, start: .principal(iterations: rounds < 0 ? nil : rounds))
        try SplitModel.write(model, to: output, adapterFolder: "pissa_init")
        Output.print("The base's rest is in \(output), its principal components are an adapter in \(output)/pissa_init. Train it with:")
        for line in [
            "model_name_or_path: \(output)", "adapter_name_or_path: \(output)/pissa_init", "finetuning_type: lora", "pissa_convert: true",
        ] { Output.print(line) }
        return ExitCode.done
    }

    /// LLaMA-Factory's scripts/loftq_init.py.
    private static func loftq(_ invocation: Invocation) throws -> Int32 {
        let (directory, output) = try folders(invocation)
        let rounds = try number(invocation, "loftq_iter", from: 1, default: 4)
        guard try number(invocation, "loftq_bits", from: 2, default: 4) == 4 else {
            throw UsageError("--loftq_bits must be 4: NF4 is the format that quantization_bit makes again when the model is loaded")
        }
        let model = try adapted(directory, invocation, start: .plain)
        guard !model.isQuantized else { throw UsageError("\(directory) is quantised already; LoftQ starts from the full weights") }
        try model.startBesideQuantization(WeightQuantizer(.table(.nf4, doubleQuantized: false)), rounds: rounds)
        try SplitModel.write(model, to: output, adapterFolder: "loftq_init")
        Output.print("The quantised weights are in \(output), what they lack is an adapter in \(output)/loftq_init. Train it with:")
        for line in [
            "model_name_or_path: \(output)", "adapter_name_or_path: \(output)/loftq_init", "finetuning_type: lora", "quantization_bit: 4",
            "double_quantization: false",
        ] { Output.print(line) }
        return ExitCode.done
    }

    /// The model with a fresh adapter as the options want it.
    private static func adapted(
        _ directory: String, _ invocation: Invocation, start: AdapterConfiguration.Start
    ) throws -> Transformer {
        let rank = try number(invocation, "lora_rank", from: 1, default: 16)
        let targets = (invocation.value("lora_target") ?? "all").split(separator: ",").map(String.init)
        var settings = AdapterSettings(
            targets: targets, rank: rank, alpha: Double(try number(invocation, "lora_alpha", from: 1, default: 2 * rank)))
        settings.start = start
        let model = try Transformer.load(directory: directory, backend: CPUBackend())
        var random = RandomGenerator(seed: 42)
        try model.addLowRankAdapters(settings, random: &random)
        return model
    }

    private static func folders(_ invocation: Invocation) throws -> (model: String, output: String) {
        guard invocation.words.count == 1, let model = invocation.value("model_name_or_path"), let output = invocation.value("output_dir") else {
            throw UsageError("tuneboard prepare \(invocation.words.first ?? "") needs --model_name_or_path and --output_dir")
        }
        if FileSystem.exists(output), !((try? FileSystem.list(output))?.isEmpty ?? false) {
            throw UsageError("\(output) exists and is not empty; name another output_dir")
        }
        return (model, output)
    }

    private static func number(_ invocation: Invocation, _ name: String, from least: Int, default fallback: Int? = nil) throws -> Int {
        guard let text = invocation.value(name) else {
            if let fallback { return fallback }
            throw UsageError("--\(name) is missing")
        }
        guard let value = Int(text), value >= least, value <= 1 << 16 else {
            throw UsageError("--\(name) must be a whole number from \(least), found \(text)")
        }
        return value
    }
}
