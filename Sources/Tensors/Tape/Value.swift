/// A result on a tape. Its tensor lives as long as somebody holds the value or an operation has saved the tensor for the way back;
/// memory goes back to the pool by itself.
public struct Value {
    let id: Int32
    private let holder: Holder

    private final class Holder {
        let tensor: Tensor
        let again: (() -> Tensor)?

        init(_ tensor: Tensor, _ again: (() -> Tensor)?) {
            self.tensor = tensor
            self.again = again
        }
    }

    init(id: Int32, tensor: Tensor, again: (() -> Tensor)?) {
        self.id = id
        self.holder = Holder(tensor, again)
    }

    var tensor: Tensor { holder.tensor }

    /// What an operation keeps that will want this value on the way back: the recipe where the value is cheap to make again,
    /// else the tensor.
    var saved: SavedTensor { holder.again.map { .again($0) } ?? .tensor(holder.tensor) }
}

/// A tensor an operation needs on the way back, kept or made again.
enum SavedTensor {
    case tensor(Tensor)
    case again(() -> Tensor)

    func restored() -> Tensor {
        switch self {
        case .tensor(let tensor): tensor
        case .again(let make): make()
        }
    }
}

/// One recorded operation: what it saved, and how gradients pass through it.
protocol Operation {
    static var name: String { get }
    /// Takes the gradients of its results from the tape and adds those of its inputs. Runs once; what it saved dies with it.
    func backward(on tape: Tape)
}
