import Configuration
import Events
import Platform
import Runs

extension BoardState {
    /// What is wrong with a page's form: what the argument table knows, and a folder that another process writes to.
    func problems(of tab: Tab) -> [Problem] {
        problems(of: tab, forms[tab].configuration)
            + [nothingLeft(tab).map { Problem(argument: "resume_from_checkpoint", severity: .warning, message: $0) }].compactMap { $0 }
    }

    /// Why a run that the form of Train goes on with would train nothing; nil where it would, or where nobody knows.
    func nothingLeft(_ tab: Tab) -> String? {
        let configuration = forms[tab].configuration
        let resumed = configuration.text("resume_from_checkpoint")
        guard tab == .train, !resumed.isEmpty, resumed != "false", case .ready(let plan) = forms[tab].plan, plan.totalSteps > 0 else { return nil }
        let output = configuration.text("output_dir")
        // A run that was cut off before its results has those to make, and another run's checkpoint may only be where one begins.
        let run = catalog.runs.first { $0.kind == .train && $0.state == .finished && RunName.isSame($0.directory, output) }
        guard let run, let checkpoint = resumed == "true" ? run.checkpoint : resumed, RunName.isSame(Path.directory(checkpoint), output), case let name = Path.name(checkpoint), name.hasPrefix("checkpoint-"),
            let step = Int(name.dropFirst("checkpoint-".count)), step >= plan.totalSteps
        else { return nil }
        return "The run has \(step) steps behind it and \(plan.totalSteps) in all: nothing is left to train. Raise num_train_epochs or max_steps to extend it, or clear resume_from_checkpoint."
    }

    /// The same of a configuration that is in no form.
    func problems(of tab: Tab, _ configuration: Configuration) -> [Problem] {
        configuration.validate(for: tab.command) + [folderProblem(tab, configuration)].compactMap { $0 }
    }

    /// Told in the words in which the engine would refuse the start.
    func folderProblem(_ tab: Tab, _ configuration: Configuration) -> Problem? {
        guard tab == .train || tab == .evaluate else { return nil }
        let folder = configuration.text("output_dir")
        guard !folder.isEmpty, let process = catalog.usedFolders[RunName.absolute(folder)] else { return nil }
        let error = RunError.directoryInUse(path: folder, processIdentifier: process)
        return Problem(argument: "output_dir", severity: .error, message: error.description)
    }

    /// Looks at the forms again after the disk was looked at.
    mutating func reviewFolders() -> [Effect] {
        [Tab.train, .evaluate].flatMap { tab in problems(of: tab) == forms[tab].problems ? [] : formChanged(tab) }
    }

    /// The folders that the forms write to and that lie outside of `saves/`, where runs are looked for anyway.
    var outputsElsewhere: [String] {
        let saves = RunName.absolute("saves") + "/"
        return [Tab.train, .evaluate].map { forms[$0].configuration.text("output_dir") }
            .filter { !$0.isEmpty && !RunName.absolute($0).hasPrefix(saves) }
    }

    /// Whether an evaluation would measure a model on the data that it was trained on, as far as the forms tell.
    var evaluatesTrainingData: Bool { evaluatesTrainingData(forms.evaluate.configuration) }

    func evaluatesTrainingData(_ evaluation: Configuration) -> Bool {
        let training = forms.train.configuration
        let output = training.text("output_dir")
        let learners = [evaluation.text("model_name_or_path")] + evaluation.text("adapter_name_or_path").split(separator: ",").map { String($0).trimmingSpaces }
        // A checkpoint lies in the folder of its run.
        guard !output.isEmpty, learners.contains(where: { RunName.isSame($0, output) || RunName.isSame(Path.directory($0), output) }) else { return false }
        let learnt = Set(training.text("dataset").split(separator: ",").map { String($0).trimmingSpaces })
        return evaluation.text("eval_dataset").split(separator: ",").contains { learnt.contains(String($0).trimmingSpaces) }
    }
}

extension JobFailure {
    /// The sentences in the board's language.
    var words: String { whatToDo.isEmpty ? say(engine: what) : say(engine: what) + Wording.current.language.sentenceSpace + say(engine: whatToDo) }
}
