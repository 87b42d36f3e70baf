/// A rule that works on an f32 copy of a parameter stored in fewer bits, so that small steps are not lost to rounding.

import Tensors

final class MasterCopy: UpdateRule {
    private let inner: any UpdateRule
    private let master: Parameter
    private let backend: any Backend

    init(of parameter: Parameter, memory: StateMemory, inner: any UpdateRule) {
        self.inner = inner
        backend = memory.backend
        master = Parameter(name: parameter.name, value: memory.zeros(parameter.shape))
    }

    var state: [OptimizerState] { inner.state + [OptimizerState(name: "master", tensor: master.value)] }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        if step.number == 1 { backend.convert(parameter.value, into: master.value) }
        inner.update(master, gradient: gradient, step: step)
        backend.convert(master.value, into: parameter.value)
    }
}
