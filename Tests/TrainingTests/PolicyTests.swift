import Configuration
import Datasets
import Events
import Formats
import Generation
import Glibc
import Models
import Platform
import Tensors
import Testing
import Tokenizers

@testable import Evaluation
@testable import Training

/// PPO against trl 0.9.6 on fixed answers, the writer of answers, and the server that scores.
@Suite("Policy optimisation")
struct PolicyTests {
    static let example = try! Fixtures.json(Path.join(Fixtures.directory, "stages/policy.json"))

    @Test("Log-probabilities, values, rewards, advantages, losses, KL and gradients of a step", arguments: [false, true])
    func step(whitens: Bool) throws {
        let expected = try #require(Self.example["steps"]?[whitens ? 1 : 0])
        let model = try StageLossTests.model()
        let head = ValueHead(
            weight: Tensor(expected["head"]?["weight"]?.floats ?? [], shape: [1, 16]),
            bias: Tensor(expected["head"]?["bias"]?.floats ?? [], shape: [1]))
        var settings = PolicySettings()
        settings.whitensRewards = whitens
        let policy = Self.policy(model, head, settings)
        var buffer = (expected["rows"]?.arrayValue ?? []).enumerated().map { index, row in
            var one = Trajectory(prompt: row["prompt"]?.tokens ?? [], answer: row["answer"]?.tokens ?? [])
            one.score = expected["scores"]?[index]?.doubleValue ?? .nan
            return one
        }
        policy.evaluate(&buffer)
        func expect(_ name: String, _ mine: [[Double]], _ key: String) {
            for (line, theirs) in zip(mine, expected[key]?.arrayValue ?? []) {
                #expect(line.count == theirs.doubles.count)
                for (a, b) in zip(line, theirs.doubles) { #expect(abs(a - b) <= 1e-4 * max(1, abs(b)), "\(name): \(a), \(b)") }
            }
        }
        expect("log p", buffer.map(\.logs), "logs")
        expect("reference", buffer.map(\.referenceLogs), "reference")
        expect("values", buffer.map(\.values), "values")
        let told = Dictionary(policy.prepare(&buffer).means.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        expect("advantages", buffer.map(\.advantages), "advantages")
        expect("returns", buffer.map(\.returns), "returns")
        // The policy has drifted since: what was then differs from what is now by a given noise.
        for index in buffer.indices {
            let noise = expected["noise"]?[index]?.doubles ?? [], valueNoise = expected["value_noise"]?[index]?.doubles ?? []
            buffer[index].logs = zip(buffer[index].logs, noise).map { $0 + $1 }
            buffer[index].values = zip(buffer[index].values, valueNoise).map { $0 + $1 }
        }
        let loss = policy.accumulate(buffer, share: 1)
        let parts = Dictionary(loss.metrics.means.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        for (name, mine, key) in [
            ("policy loss", loss.policy, "loss_policy"), ("value loss", loss.value, "loss_value"), ("kl", told["objective/kl"], "kl"),
            ("non-score reward", told["ppo/mean_non_score_reward"], "non_score"), ("drift", parts["ppo/policy/approxkl"], "approxkl"),
            ("clipped", parts["ppo/policy/clipfrac"], "clipfrac"), ("value error", parts["ppo/val/error"], "value_error"),
            ("clipped values", parts["ppo/val/clipfrac"], "value_clipfrac"),
        ] {
            let theirs = expected[key]?.doubleValue ?? .nan
            #expect(abs((mine ?? .nan) - theirs) <= 1e-4 * max(1, abs(theirs)), "\(name): \(mine ?? .nan), \(theirs)")
        }
        StageLossTests.expectGradients(model, expected["gradients"])
        for (parameter, name) in zip(head.parameters, ["weight", "bias"]) {
            let theirs = expected["head_gradients"]?[name]?.doubles ?? []
            for (a, b) in zip(try #require(parameter.gradient).floats(), theirs) { #expect(abs(Double(a) - b) <= 1e-4 * max(0.01, abs(b))) }
        }
    }

    @Test("The penalty follows the divergence, and scores are centred by their running moments, as in trl")
    func controls() throws {
        var control = DivergenceControl(penalty: 0.2, target: 6, horizon: 10_000)
        for step in Self.example["control"]?.arrayValue ?? [] {
            control.update(divergence: step["kl"]?.doubleValue ?? 0, samples: step["samples"]?.intValue ?? 0)
            #expect(abs(control.penalty - (step["penalty"]?.doubleValue ?? .nan)) < 1e-12)
        }
        var moments = RunningMoments()
        for step in Self.example["moments"]?.arrayValue ?? [] {
            moments.update(step["scores"]?.doubles ?? [])
            #expect(abs(moments.mean - (step["mean"]?.doubleValue ?? .nan)) < 1e-5)
            #expect(abs(moments.deviation - (step["deviation"]?.doubleValue ?? .nan)) < 1e-5)
        }
        #expect(RunningMoments(moments.json) == moments)
    }

    @Test("Answers written side by side are those written one by one")
    func writesInBatches() throws {
        let model = try StageLossTests.model()
        let writer = AnswerWriter(
            model: model, options: SamplingOptions(temperature: 1, topK: 0, topP: 1, maxNewTokens: 12), stopTokens: [1])
        let prompts: [[Int32]] = [[0, 5, 9, 12], [0, 7], [0, 40, 41, 42, 43, 44, 45], [0, 3, 3]]
        let seeds: [UInt64] = [1, 2, 3, 4]
        let together = writer.answers(prompts, seeds: seeds)
        let apart = zip(prompts, seeds).map { writer.answers([$0], seeds: [$1])[0] }
        #expect(together == apart)
        #expect(together.allSatisfy { !$0.isEmpty && $0.count <= 12 && !$0.dropLast().contains(1) })
        let greedy = AnswerWriter(model: model, options: .greedy(maxNewTokens: 8), stopTokens: [1]).answers(prompts, seeds: seeds)
        let generator = TextGenerator(model: model, tokenizer: try Tokenizer(directory: Fixtures.training + "/llama"))
        for (prompt, answer) in zip(prompts, greedy) {
            var options = SamplingOptions.greedy(maxNewTokens: 8)
            options.stopTokenIDs = [1]
            #expect(try generator.generate(prompt: prompt, options: options).tokenIDs == answer)
        }
    }

    @Test("A batch whose policy has run away teaches nothing")
    func limitsRatio() {
        var one = Trajectory(prompt: [0], answer: [5, 6])
        (one.logs, one.values, one.advantages, one.returns) = ([-9, -9], [0, 0], [1, -1], [1, 1])
        let loss = PolicyMath.loss([one], logs: [-1, -1], values: [0.5, 0.5], PolicySettings())
        #expect(loss.total == 0 && loss.byLogs == [0, 0] && loss.byValues == [0, 0])
    }

    // MARK: The server

    @Test("Scores come from a server over HTTP, whole or in chunks")
    func asksServer() throws {
        for isChunked in [false, true] {
            let server = try LoopbackServer(answers: [#"{"model": "m", "scores": [0.5, -2]}"#], isChunked: isChunked)
            let scores = try RewardServer(try RewardServer.Address("http://127.0.0.1:\(server.port)/score")).scores(["a \"quoted\" text", "二"])
            #expect(scores == [0.5, -2])
            let request = server.finish().first ?? ""
            #expect(request.hasPrefix("POST /score HTTP/1.1\r\n"))
            #expect(request.hasSuffix(#"{"model": "model", "messages": ["a \"quoted\" text", "二"]}"#))
        }
    }

    @Test("A server that is not there, or that answers nonsense, is told by its address")
    func distrustsServer() throws {
        for (answer, words) in [
            (#"{"scores": [1]}"#, "scores for 2 texts"), (#"{"rewards": [1, 2]}"#, "without \"scores\""), ("<html>", "not JSON"),
            (#"{"scores": [1, "high"]}"#, "scores for 2 texts"),
        ] {
            let server = try LoopbackServer(answers: [answer], isChunked: false)
            let address = try RewardServer.Address("http://127.0.0.1:\(server.port)")
            let error = #expect(throws: TrainingError.self) { _ = try RewardServer(address).scores(["a", "b"]) }
            let sentence = "\(error?.description ?? "")"
            #expect(sentence.contains(words) && sentence.contains("127.0.0.1:\(server.port)"))
            _ = server.finish()
        }
        let server = try LoopbackServer(answers: [], isChunked: false)
        let port = server.port
        _ = server.finish()
        let error = #expect(throws: TrainingError.self) { _ = try RewardServer(try RewardServer.Address("http://127.0.0.1:\(port)")).scores(["a"]) }
        let sentence = "\(error?.description ?? "")"
        #expect(sentence.contains("cannot be reached"))
    }

    @Test("A server that says nothing is not waited for when the job is to end")
    func heedsTheEnd() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &place) { place in
            place.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
                _ = bind(listener, place, size)
                _ = listen(listener, 1)
                _ = getsockname(listener, place, &size)
            }
        }
        let start = Clock.monotonicSeconds()
        let address = try RewardServer.Address("http://127.0.0.1:\(UInt16(bigEndian: place.sin_port))")
        let server = RewardServer(address, isInterrupted: { Clock.monotonicSeconds() - start > 0.3 })
        #expect(throws: TrainingError.self) { _ = try server.scores(["a"]) }
        #expect(Clock.monotonicSeconds() - start < 30, "120 s are its patience otherwise")
        let impatient = RewardServer(address, timeoutSeconds: 1)
        let error = #expect(throws: TrainingError.self) { _ = try impatient.scores(["a"]) }
        let sentence = "\(error?.description ?? "")"
        #expect(sentence.contains("did not answer within 1 s"))
    }

    @Test("A run asks the server for every answer, and learns to write what it likes")
    func trainsWithServer() throws {
        try StageJobTests.withData { directory, configuration in
            // Likes small letters, as a program of somebody else might.
            let server = try LoopbackServer(scoring: { text in Double(text.utf8.filter { $0 >= 97 && $0 <= 122 }.count) })
            let output = Path.join(directory, "policy")
            let sink = RecordingSink()
            _ = try StageJobTests.train(
                configuration,
                ["stage": "ppo", "reward_model": "http://127.0.0.1:\(server.port)/", "reward_model_type": "api", "output_dir": output,
                 "max_steps": "20", "per_device_train_batch_size": "6", "learning_rate": "0.01", "lr_scheduler_type": "constant",
                 "max_new_tokens": "6", "top_p": "1.0", "top_k": "0", "temperature": "1.0", "finetuning_type": "full",
                 "ppo_score_norm": "true", "plot_loss": "true"], sink: sink)
            _ = server.finish()
            let history = try StageJobTests.history(output)
            let rewards = history.compactMap { $0["reward"]?.doubleValue }
            #expect(rewards.count == 20)
            let before: Double = rewards.prefix(5).reduce(0, +) / 5
            let after: Double = rewards.suffix(5).reduce(0, +) / 5
            #expect(after > before + 0.5, "\(rewards)")
            for name in ["objective/kl", "objective/kl_coef", "ppo/loss/policy", "ppo/loss/value", "ppo/policy/clipfrac"] {
                #expect(history.first?[name]?.doubleValue != nil, "\(name)")
            }
            #expect(ValueHead.exists(in: output) && FileSystem.exists(Path.join(output, "training_reward.svg")))
            let line = try FileSystem.readText(Path.join(output, "trainer_log.jsonl")).split(separator: "\n").first.map(String.init) ?? ""
            #expect(line.contains("\"reward\": "))
        }
    }

    private static func policy(_ model: Transformer, _ head: ValueHead, _ settings: PolicySettings) -> PolicyOptimisation {
        PolicyOptimisation(
            model: model, head: head, reference: ReferenceModel(.adapterOff(model)), scorer: .model(model, head),
            writer: AnswerWriter(model: model, options: .greedy(maxNewTokens: 4), stopTokens: []), settings: settings)
    }
}

/// An HTTP server on the loopback for a test: gives prepared answers, or scores texts.
final class LoopbackServer: @unchecked Sendable {
    let port: UInt16
    private let listener: Int32
    private let requests = Platform.Mutex<[String]>([])
    private var thread: EngineThread?

    convenience init(answers: [String], isChunked: Bool) throws {
        let left = Platform.Mutex<[String]>(answers)
        try self.init(isChunked: isChunked) { _ in left.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
    }

    convenience init(scoring score: @escaping @Sendable (String) -> Double) throws {
        try self.init(isChunked: false) { body in
            let texts = (try? JSONValue.parse(body))?["messages"]?.arrayValue ?? []
            return "{\"scores\": [" + texts.map { String(score($0.stringValue ?? "")) }.joined(separator: ", ") + "]}"
        }
    }

    private init(isChunked: Bool, respond: @escaping @Sendable (String) -> String?) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(listener, raw, size) == 0 && listen(listener, 8) == 0 && getsockname(listener, raw, &size) == 0
            }
        }
        try #require(bound)
        port = UInt16(bigEndian: address.sin_port)
        let requests = requests
        thread = EngineThread(name: "loopback") {
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0 { return }
                let request = Self.read(connection)
                requests.withLock { $0.append(request) }
                let body = request.components(after: "\r\n\r\n")
                if let answer = respond(body) {
                    let text = isChunked
                        ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(String(answer.utf8.count, radix: 16))\r\n\(answer)\r\n0\r\n\r\n"
                        : "HTTP/1.1 200 OK\r\nContent-Length: \(answer.utf8.count)\r\n\r\n\(answer)"
                    _ = Array(text.utf8).withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                }
                close(connection)
            }
        }
    }

    /// Stops and gives what was asked.
    func finish() -> [String] {
        shutdown(listener, Int32(SHUT_RDWR))
        thread?.join()
        close(listener)
        return requests.withLock { $0 }
    }

    private static func read(_ connection: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if let length = text.lowercased().components(after: "content-length: ").split(separator: "\r\n").first.flatMap({ Int($0) }),
                text.components(after: "\r\n\r\n").utf8.count >= length
            { return text }
            let count = recv(connection, &buffer, buffer.count, 0)
            if count <= 0 { return text }
            bytes += buffer[..<count]
        }
    }
}

extension String {
    /// What follows the first occurrence of a mark; empty when there is none.
    fileprivate func components(after mark: String) -> String {
        let bytes = Array(utf8), wanted = Array(mark.utf8)
        guard bytes.count >= wanted.count,
            let start = (0...(bytes.count - wanted.count)).first(where: { Array(bytes[$0..<$0 + wanted.count]) == wanted })
        else { return "" }
        return String(decoding: bytes[(start + wanted.count)...], as: UTF8.self)
    }
}
