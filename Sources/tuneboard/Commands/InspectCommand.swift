/// `tuneboard inspect`: a model's shape and needs, and its numbers for given tokens, to compare with other programs.

import Formats
import Models
import Platform
import Tensors

enum InspectCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        switch invocation.words.first {
        case "forward": return try forward(invocation)
        case "model": return try model(invocation)
        case nil, _?: throw UsageError("which one? tuneboard inspect forward|model")
        }
    }

    private static func forward(_ invocation: Invocation) throws -> Int32 {
        guard invocation.words.count == 1 else { throw UsageError("`\(invocation.words[1])` is one word too many.") }
        guard let directory = invocation.value("model_name_or_path"), let input = invocation.value("input"),
            let output = invocation.value("output")
        else { throw UsageError("tuneboard inspect forward needs --model_name_or_path, --input and --output") }
        let adapter = invocation.value("adapter_name_or_path"), wantsGradients = invocation.has("gradients")
        let inspection = try ForwardInspection(file: input)
        let model = try Transformer.load(
            directory: directory, backend: CPUBackend(), options: LoadOptions(dtype: .float32, trainsBase: wantsGradients && adapter == nil))
        if let adapter { try AdapterFile.load(adapter, into: model, isTrainable: wantsGradients) }
        try inspection.check(model.spec, file: input)
        let tensors = inspection.run(model, hiddenStates: invocation.has("hidden_states"), gradients: wantsGradients)
        try TensorFile.write(output, tensors: tensors)
        Output.print("\(tensors.count) tensors in \(output)")
        return ExitCode.done
    }

    private static func model(_ invocation: Invocation) throws -> Int32 {
        guard invocation.words.count == 2 else { throw UsageError("tuneboard inspect model DIR") }
        let summary = try ModelSummary(directory: invocation.words[1])
        let rows = facts(summary)
        if invocation.isJSON {
            Output.print(JSONValue.object(JSONObject(rows.map { ($0.name, .string($0.value)) })).text(style: .indented(2)))
        } else {
            for line in Columns.lines(rows.map { [$0.name, $0.value] }) { Output.print(line) }
        }
        return ExitCode.done
    }

    /// Weights, gradients and moments; activations depend on the batch and are planned with the run.
    private static func facts(_ summary: ModelSummary) -> [(name: String, value: String)] {
        let spec = summary.spec
        let adapter = Int64(summary.adapterParameterCount(targets: ["all"], rank: 8))
        return [
            ("architecture", spec.className.isEmpty ? spec.modelType : "\(spec.className) (\(spec.modelType))"),
            ("parameters", NumberText.grouped(summary.parameterCount)),
            ("stored as", "\(summary.quantization.map { "\($0), the rest " } ?? "")\(summary.dtype), \(NumberText.bytes(summary.weightBytes))"),
            ("weights", summary.hasWeights ? "safetensors" : "none that can be read: only a model from scratch can be made"),
            ("layers", String(spec.layerCount)),
            ("hidden size", String(spec.hiddenSize)),
            ("heads", "\(spec.headCount) of \(spec.headDimension), \(spec.keyValueHeadCount) for keys and values"),
            ("vocabulary", NumberText.grouped(spec.vocabularySize)),
            ("positions", NumberText.grouped(spec.maximumPositions)),
            ("head", spec.tiesEmbeddings ? "the embedding" : "of its own"),
            ("LoRA of rank 8", "\(NumberText.grouped(Int(adapter))) trainable"),
            ("memory to chat", NumberText.bytes(summary.weightBytes) + " and " + NumberText.bytes(summary.cacheBytes(tokens: 1024)) + " per 1,024 tokens"),
            ("memory for LoRA", NumberText.bytes(summary.weightBytes + 16 * adapter) + " and activations"),
            ("memory for full training", NumberText.bytes(16 * Int64(summary.parameterCount)) + " and activations"),
        ]
    }
}
