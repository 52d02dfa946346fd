;;; emacs.el --- A mission in a real Emacs -*- lexical-binding: t -*-

;;; Commentary:

;; Run in batch mode in a copy of the demo project, with the setting that docs/editors.md (`EDITORS_PAGE') shows: Eglot
;; connects, a code action starts a mission, it reaches its seal, the buffer gets what was accepted, and an undo for each
;; acceptance brings back what was.

;;; Code:

(setq native-comp-jit-compilation nil) ; it would start more of Emacs

(require 'eglot)
(require 'xref)

(defconst journey-goal "Add --ignore-case, and sort words of equal count by name")
(defconst journey-limit 120) ; seconds; a busy machine is no defect

(defconst journey-root default-directory)

(defun journey-wait (what condition)
  "Wait for CONDITION, which is WHAT."
  (let ((end (time-add nil journey-limit)))
    (while (not (funcall condition))
      (when (time-less-p end nil) (error "%s did not come" what))
      (accept-process-output nil 0.05)
      ;; Eglot tells of changes after half a second of idleness, which batch mode does not know.
      (when (eglot-managed-p) (eglot--signal-textDocument/didChange)))))

(defun journey-setting ()
  "The first block of Emacs Lisp on the page."
  (with-temp-buffer
    (insert-file-contents (getenv "EDITORS_PAGE"))
    (search-forward "```elisp\n")
    (buffer-substring (point) (progn (search-forward "\n```") (match-beginning 0)))))

(defun journey-text ()
  "What the buffer holds."
  (buffer-substring-no-properties (point-min) (point-max)))

(defun journey-on-disk (file)
  "What FILE holds."
  (with-temp-buffer (insert-file-contents (expand-file-name file journey-root)) (journey-text)))

(defun journey-mission ()
  "The newest mission, as the server tells it."
  (let* ((params (list :command "orchestrator.status" :arguments []))
         (answer (jsonrpc-request (eglot-current-server) :workspace/executeCommand params))
         (all (plist-get answer :missions)))
    (and (length> all 0) (aref all 0))))

(defun journey-choose (_prompt titles &rest _)
  "The one of TITLES that starts the mission."
  (seq-find (lambda (title) (string-search "Run /task" title)) (mapcar #'car titles)))

(defun journey-assert (holds &rest why)
  "Fail with WHY, a format and its arguments, unless HOLDS."
  (unless holds (error "%s" (apply #'format why))))

(with-temp-buffer
  (insert (journey-setting))
  (eval-buffer))

(define-derived-mode rust-mode prog-mode "Rust" "As the package of that name has it, for Eglot.")

(defun journey-edits (change)
  "Call CHANGE, and return what the buffer held after each edit that the server asked for, the newest first."
  (let* ((texts nil)
         (buffer (current-buffer))
         (took (lambda (&rest _) (push (with-current-buffer buffer (journey-text)) texts))))
    (advice-add 'eglot--apply-workspace-edit :after took)
    (unwind-protect (funcall change)
      (advice-remove 'eglot--apply-workspace-edit took))
    texts))

(defun journey ()
  "The journey."
  (find-file "src/main.rs")
  (rust-mode)
  (buffer-enable-undo)
  (call-interactively #'eglot)
  (journey-wait "the connection" #'eglot-managed-p)

  ;; What Emacs asks for by itself at any place, and a person at some, fails nothing.
  (goto-char (point-min))
  (search-forward "count")
  (eldoc-print-current-symbol-info t)
  (journey-assert
   (condition-case why (progn (xref-find-definitions "count") nil)
     (error (string-search "Unsupported" (error-message-string why))))
   "xref is not told that there are no definitions")
  (completion-at-point)
  (flymake-start)

  ;; The code action at the line; a person chooses it in the minibuffer.
  (goto-char (point-max))
  (insert "// /task " journey-goal "\n")
  (forward-line -1)
  (undo-boundary)
  (let* ((begun (journey-text))
         (texts
          (journey-edits
           (lambda ()
             (let ((last-nonmenu-event t) ; the keyboard, not the mouse
                   (completing-read-function #'journey-choose))
               (call-interactively #'eglot-code-actions))
             (journey-wait "the mission's end" (lambda () (plist-get (journey-mission) :end)))))))
    (let ((end (plist-get (journey-mission) :end)))
      (journey-assert (equal (plist-get end :end) "sealed") "%S" end))
    (journey-assert (length= texts 2) "two change-sets touch the buffer, %d came" (length texts))
    (journey-assert (string-search "options.case" (journey-text)) "the buffer has not what was accepted")
    (journey-assert (not (string-search "options.case" (journey-on-disk "src/main.rs"))) "an open file is the editor's to save")
    (journey-assert (string-search "--ignore-case" (journey-on-disk "README.md")) "a closed file changes on the disk")

    ;; An undo for each, though no command came between them.
    (undo-boundary) ; as before each command
    (setq last-command 'other)
    (undo)
    (journey-assert (equal (journey-text) (cadr texts)) "one undo does not take the newest change back:\n%s" (journey-text))
    (undo-boundary)
    (setq last-command 'undo)
    (undo)
    (journey-assert (equal (journey-text) begun) "two do not bring back what was:\n%s" (journey-text)))

  ;; The command of the page; what it cannot do, the server says.
  (journey-assert
   (condition-case why (progn (orchestrator-task "  ") nil)
     (error (string-search "goal" (error-message-string why))))
   "a blank goal is taken")
  (with-current-buffer (messages-buffer)
    (journey-assert (not (string-search "arning" (journey-text))) "%s" (journey-text)))
  (journey-assert (not (get-buffer "*Warnings*")) "there are warnings")
  (eglot-shutdown-all)
  (princ "passed\n"))

(unwind-protect (journey)
  (eglot-shutdown-all))

;;; emacs.el ends here
