/// The model that preferences are compared with: the base under a switched-off adapter, which costs nothing, or one of its own.

import Datasets
import Models
import Tensors

final class ReferenceModel {
    enum Kind {
        case adapterOff(Transformer)
        case separate(Transformer)
    }

    let kind: Kind

    init(_ kind: Kind) { self.kind = kind }

    /// Runs `body` with the reference in place; afterwards the adapter is on again.
    func use<Result>(_ body: (Transformer) -> Result) -> Result {
        switch kind {
        case .separate(let model): return body(model)
        case .adapterOff(let model):
            model.setAdapter(enabled: false)
            defer { model.setAdapter(enabled: true) }
            return body(model)
        }
    }

    /// log p of each sequence's answer.
    func sums(_ batch: Batch) -> LikelihoodSums {
        use { model in
            let pass = LikelihoodPass(model, batch, tape: Tape(backend: model.backend, isRecording: false))
            return LikelihoodSums(sums: pass.sums, lengths: pass.lengths)
        }
    }

    /// Memory that it takes beside the trained model's; mapped weights count, as their pages are read.
    var residentBytes: Int64 {
        switch kind {
        case .adapterOff: 0
        case .separate(let model): model.parameters.reduce(0) { $0 + Int64($1.byteCount) }
        }
    }
}

/// log p of answers and how many tokens they have.
struct LikelihoodSums {
    var sums: [Double]
    var lengths: [Int]
}
