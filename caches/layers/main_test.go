package layers_test

import (
	"testing"

	"larder/caches/layers/layertest"
)

func TestMain(m *testing.M) { layertest.Main(m.Run) }
