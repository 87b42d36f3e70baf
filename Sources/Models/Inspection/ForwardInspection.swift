import Formats
import Platform
import Tensors

/// What a model makes of given tokens, number by number, for comparison with other programs.
public struct ForwardInspection: Sendable {
    /// One sequence.
    public struct Row: Sendable, Equatable {
        public let tokens: [Int32]
        /// As many as tokens, -100 where there is no loss; they are shifted here.
        public let labels: [Int32]?
    }

    public let rows: [Row]

    /// Reads `{"input_ids": [[...]], "labels": [[...]]}`, whose rows may differ in length.
    public init(file: String) throws(ModelError) {
        let fields = ConfigurationFields(try ModelFolder.object(file), file: file)
        let inputs = try Self.lists(fields, "input_ids")
        let labels = fields.value("labels") == nil ? nil : try Self.lists(fields, "labels")
        guard !inputs.isEmpty else { throw .missingKey(file: file, key: "input_ids") }
        var rows: [Row] = []
        for (index, tokens) in inputs.enumerated() {
            let own = labels.flatMap { index < $0.count ? $0[index] : nil }
            guard labels == nil || own?.count == tokens.count else {
                throw .invalidKey(
                    file: file, key: "labels", expected: "\(tokens.count) labels in row \(index), one for each token",
                    found: String(own?.count ?? 0))
            }
            rows.append(Row(tokens: tokens, labels: own))
        }
        self.rows = rows
    }

    /// Refuses what the model has no embedding or position for.
    public func check(_ spec: ArchitectureSpec, file: String) throws(ModelError) {
        for (index, row) in rows.enumerated() {
            let known = 0..<Int32(clamping: spec.vocabularySize)
            for (key, tokens) in [("input_ids", row.tokens), ("labels", (row.labels ?? []).filter { $0 != Tape.ignoredTarget })] {
                guard let stranger = tokens.first(where: { !known.contains($0) }) else { continue }
                throw .invalidKey(file: file, key: key, expected: "tokens below \(spec.vocabularySize) in row \(index)", found: String(stranger))
            }
            if let limit = spec.positionLimit, row.tokens.count > limit {
                throw .invalidKey(file: file, key: "input_ids", expected: "at most \(limit) tokens in row \(index)", found: String(row.tokens.count))
            }
        }
    }

    /// `logits.I` of each row; `hidden.L.I`, the last normed as transformers has it; `loss` over all labelled tokens; gradients of
    /// what is trainable, under its own name and as the checkpoint stores it.
    public func run(_ model: Transformer, hiddenStates: Bool, gradients: Bool) -> [(name: String, tensor: Tensor)] {
        var found: [(name: String, tensor: Tensor)] = []
        let targets = rows.map { ($0.labels ?? []).dropFirst() + ($0.labels == nil ? [] : [Tape.ignoredTarget]) }
        let counted = targets.joined().reduce(0) { $0 + ($1 == Tape.ignoredTarget ? 0 : 1) }
        var lossSum = 0.0
        for (index, row) in rows.enumerated() {
            let tape = Tape(backend: model.backend, isRecording: gradients)
            tape.isTraining = false
            let hidden = model.hidden(tape, tokens: row.tokens, layout: SequenceLayout(lengths: [row.tokens.count])) { layer, stream in
                if hiddenStates && layer < model.spec.layerCount { found.append(("hidden.\(layer).\(index)", tape.tensor(stream))) }
            }
            if hiddenStates { found.append(("hidden.\(model.spec.layerCount).\(index)", tape.tensor(hidden))) }
            let silent = Tape(backend: model.backend, isRecording: false)
            found.append(("logits.\(index)", silent.tensor(model.logits(silent, silent.constant(tape.tensor(hidden))))))
            guard row.labels != nil, counted > 0 else { continue }
            let output = tape.linearCrossEntropy(
                hidden, head: model.head, targets: Array(targets[index]), normalizer: Float(counted))
            lossSum += output.lossSum
            if gradients { tape.backward(output.loss) }
        }
        guard counted > 0 else { return found }
        found.append(("loss", Tensor([Float(lossSum / Double(counted))], shape: [1])))
        guard gradients else { return found }
        return found + model.gradients
    }

    private static func lists(_ fields: ConfigurationFields, _ key: String) throws(ModelError) -> [[Int32]] {
        guard let value = fields.value(key) else { throw .missingKey(file: fields.file, key: key) }
        guard let rows = value.arrayValue else { throw fields.invalid(key, "a list of lists of token ids", value) }
        var lists: [[Int32]] = []
        for row in rows {
            let tokens = (row.arrayValue ?? []).compactMap { $0.intValue.flatMap { Int32(exactly: $0) } }
            guard !tokens.isEmpty, tokens.count == row.arrayValue?.count else { throw fields.invalid(key, "a list of lists of token ids", row) }
            lists.append(tokens)
        }
        return lists
    }
}
