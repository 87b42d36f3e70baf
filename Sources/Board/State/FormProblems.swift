import Configuration
import Events
import Platform
import Runs

extension BoardState {
    /// What is wrong with a page's form: what the argument table knows, and a folder that another process writes to.
    func problems(of tab: Tab) -> [Problem] {
        problems(of: tab, forms[tab].configuration)
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
