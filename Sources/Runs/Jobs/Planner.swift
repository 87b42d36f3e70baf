/// Plans off the drawing thread: what a run would need, asked anew whenever its configuration changes.

import Configuration
import Events
import Platform

/// Makes one plan at a time on a thread of its own. A newer question replaces an older one that has not been started; an answer
/// to an outdated question is thrown away.
public final class Planner: Sendable {
    public typealias Outcome = Result<RunPlan, JobFailure>
    public typealias Body = @Sendable (Configuration, JobControl) throws -> RunPlan

    private struct Contents {
        var asked: Configuration?
        var control: JobControl?
        var outcome: Outcome?
        var isWorking = false
    }

    private let contents = Mutex(Contents())
    private let body: Body
    private let wake: @Sendable () -> Void

    /// - Parameter wake: called on another thread when an answer waits in `takeOutcome`.
    public init(body: @escaping Body = EngineJobs.plan, wake: @escaping @Sendable () -> Void = {}) {
        self.body = body
        self.wake = wake
    }

    /// Asks for the plan of a configuration. Returns at once.
    public func plan(_ configuration: Configuration) {
        let mustStart = contents.withLock { contents in
            contents.asked = configuration
            contents.outcome = nil
            contents.control?.post(.abort)
            defer { contents.isWorking = true }
            return !contents.isWorking
        }
        if mustStart { _ = EngineThread(name: "planner") { [self] in work() } }
    }

    /// Forgets the question; no answer will come.
    public func cancel() {
        contents.withLock { contents in
            contents.asked = nil
            contents.outcome = nil
            contents.control?.post(.abort)
        }
    }

    public var isWorking: Bool { contents.withLock { $0.isWorking } }

    /// The answer to the last question, once.
    public func takeOutcome() -> Outcome? {
        contents.withLock { contents in
            defer { contents.outcome = nil }
            return contents.outcome
        }
    }

    private func work() {
        while let (configuration, control) = nextQuestion() {
            let outcome: Outcome
            do {
                outcome = .success(try body(configuration, control))
            } catch {
                outcome = .failure(error as? JobFailure ?? JobFailure(what: String(describing: error)))
            }
            let isWanted = contents.withLock { contents in
                guard !control.isAborted else { return false }
                contents.outcome = outcome
                return true
            }
            if isWanted { wake() }
        }
    }

    private func nextQuestion() -> (Configuration, JobControl)? {
        contents.withLock { contents in
            guard let configuration = contents.asked else {
                contents.isWorking = false
                contents.control = nil
                return nil
            }
            let control = JobControl()
            contents.asked = nil
            contents.control = control
            return (configuration, control)
        }
    }
}
