import Tensors

extension Transformer {
    /// A model of shapes alone, for a dry run on a `PlanningBackend`: no weight is read and none takes memory.
    /// - Parameter dtype: how the weights would be stored.
    public static func planned(
        folder: ModelFolder, backend: PlanningBackend, dtype: DType, trainsBase: Bool
    ) throws(ModelError) -> Transformer {
        try Transformer(folder: folder, backend: backend) { weight throws(ModelError) in
            Parameter(name: weight.name, value: PlanningBackend.placeholder(weight.shape, dtype), requiresGradient: trainsBase)
        }
    }
}
