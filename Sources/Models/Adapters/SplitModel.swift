import Formats
import Platform
import Tensors

/// A base without the parts that its adapter begins with, written as a model of its own with the adapter beside it: what
/// LLaMA-Factory's `scripts/pissa_init.py` and `loftq_init.py` make, for bases that are quantised afterwards.
public enum SplitModel {
    /// Writes the rest of the base to `directory` and the adapter to a folder in it.
    /// - Parameter model: with a fresh adapter that has taken something from the base.
    public static func write(_ model: Transformer, to directory: String, adapterFolder: String) throws(ModelError) {
        guard let configuration = model.adapterConfiguration?.withPlainStart.withBaseModel(directory) else {
            throw .cannotWrite(reason: "\(directory): there is no adapter on the model to split off.")
        }
        let tensors = model.adapterTensors
        model.keepOverlays()
        try CheckpointWriter(model, options: CheckpointWriter.Options(mergesAdapter: false)).write(to: directory)
        try AdapterFile.write(tensors, configuration, to: Path.join(directory, adapterFolder))
    }
}

extension Transformer {
    /// Makes the overlaid values the base's own.
    func keepOverlays() {
        setAdapter(enabled: true)
        overlays = []
    }
}
