#!/bin/sh
# All tasks of the workflow build-package; which one it is says $TASK. Outputs are lines in the file $LOADME_OUTPUT.
set -eu

case "$TASK" in
fetch)
    commit=$(printf %s "$REVISION" | cksum | cut -d ' ' -f 1)
    echo "$REVISION is at $commit"
    echo "commit=$commit" >> "$LOADME_OUTPUT"
    ;;
compile)
    echo "compiling $COMMIT"
    echo "kilobytes=$((${#COMMIT} * 10))" >> "$LOADME_OUTPUT"
    ;;
check)
    echo "checking $COMMIT"
    [ "$BROKEN" = false ] || {
        echo "1 of 12 checks failed"
        exit 1
    }
    ;;
package)
    echo "packing $KILOBYTES kB"
    echo "package=package-$COMMIT.tar" >> "$LOADME_OUTPUT"
    ;;
tell) echo "the build $LOADME_RUN_ID has $STATUS: $WHY" ;;
celebrate) echo "$PACKAGE is there" ;;
complain) echo "there is no package today" ;;
esac
