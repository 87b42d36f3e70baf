/// The optimizer in a checkpoint: every state tensor as `<parameter>.<name>`, and how many updates each parameter has had.

import Formats
import Platform
import Tensors

extension Optimizer {
    static let fileName = "optimizer.safetensors"

    func write(to directory: String) throws {
        let working = entries.filter { $0.rule != nil }
        let states = working.flatMap { entry in
            (entry.rule?.state ?? []).map { (name: entry.member.parameter.name + "." + $0.name, tensor: $0.tensor) }
        }
        let counts = JSONObject(working.map { ($0.member.parameter.name, .integer($0.updateCount)) })
        let differing = counts.pairs.contains { $0.value != .integer(stepCount) } || working.count != entries.count
        var metadata = ["format": "pt", "optimizer": name, "step": String(stepCount)]
        if differing { metadata["updates"] = JSONValue.object(counts).text(style: .compact) }
        let writer = try SafetensorsWriter(
            path: Path.join(directory, Self.fileName),
            tensors: states.map { TensorDeclaration(name: $0.name, dtype: SafetensorsType($0.tensor.dtype), shape: $0.tensor.shape) },
            metadata: metadata)
        for state in states { try writer.write(state.tensor.bytes, to: state.name) }
        try writer.finish()
    }

    /// Takes the state and the counts of a checkpoint.
    func read(from directory: String) throws(TrainingError) {
        let path = Path.join(directory, Self.fileName)
        let file: SafetensorsFile
        do { file = try SafetensorsFile(path: path) } catch {
            throw .brokenCheckpoint(path: directory, file: Self.fileName, reason: "\(error)")
        }
        guard let step = file.metadata["step"].flatMap({ Int($0) }), step >= 0 else {
            throw .brokenCheckpoint(path: directory, file: Self.fileName, reason: "it does not say how many steps were made.")
        }
        if let other = file.metadata["optimizer"], other != name {
            throw .checkpointMismatch(path: directory, what: "optimizer", expected: name, found: other)
        }
        let counts = try updateCounts(file, directory, step: step)
        let known = Set(counts.keys)
        guard known.isSubset(of: Set(parameters.map(\.name))) else {
            throw .checkpointMismatch(
                path: directory, what: "trained tensors", expected: "\(parameters.count) of them",
                found: "also \(known.subtracting(parameters.map(\.name)).sorted().first ?? "")")
        }
        stepCount = step
        turnToBlock()
        var expected = 0
        for index in entries.indices {
            guard let count = counts[entries[index].member.parameter.name] else { continue }
            entries[index].updateCount = count
            for state in rule(at: index).state {
                try fill(state, of: entries[index].member.parameter, from: file, directory)
                expected += 1
            }
        }
        guard file.tensors.count == expected else {
            throw .checkpointMismatch(
                path: directory, what: "number of optimizer tensors", expected: "\(expected)", found: "\(file.tensors.count)")
        }
    }

    /// Updates by parameter: written one by one where they differ.
    private func updateCounts(_ file: SafetensorsFile, _ directory: String, step: Int) throws(TrainingError) -> [String: Int] {
        guard let text = file.metadata["updates"] else {
            return step == 0 ? [:] : Dictionary(parameters.map { ($0.name, step) }, uniquingKeysWith: { first, _ in first })
        }
        guard let values = (try? JSONValue.parse(text, name: Self.fileName))?.objectValue else {
            throw .brokenCheckpoint(path: directory, file: Self.fileName, reason: "its list of updates is no JSON object.")
        }
        var counts: [String: Int] = [:]
        for (name, value) in values.pairs {
            guard let count = value.intValue, count >= 0 else {
                throw .brokenCheckpoint(path: directory, file: Self.fileName, reason: "the updates of \(name) are no whole number.")
            }
            counts[name] = count
        }
        return counts
    }

    private func fill(
        _ state: OptimizerState, of parameter: Parameter, from file: SafetensorsFile, _ directory: String
    ) throws(TrainingError) {
        let name = parameter.name + "." + state.name, tensor = state.tensor
        let stored = file.entry(named: name)
        guard let found = stored, found.shape == tensor.shape, found.dtype == SafetensorsType(tensor.dtype) else {
            throw .checkpointMismatch(
                path: directory, what: "optimizer state \(name)", expected: "\(tensor.dtype) \(tensor.shape)",
                found: stored.map { "\($0.dtype.rawValue) \($0.shape)" } ?? "missing")
        }
        let bytes = file.bytes(found)
        if let source = bytes.baseAddress { tensor.address.copyMemory(from: source, byteCount: bytes.count) }
    }
}
